"""The values of Stoker's Helm chart: the one source of its values.yaml, schema and README (`write_chart.py`).

What a value does is in its description, in the words of the person who installs. A field is here because somebody must
be able to change it; names of objects are fixed, since a cluster has one Stoker.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from stoker.settings import LOG_LEVELS, Settings

OWN_SETTINGS = frozenset(
    {"namespace", "lease_name", "identity", "metrics_port", "health_port", "bind_address", "audit_dir"}
)
"""Settings that the chart itself knows best."""

Name = Annotated[str, Field(max_length=253, pattern=r"^$|^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Quantity = Annotated[str, Field(pattern=r"^[0-9.]+([kMGTPE]i?|m)?$")]
Text = dict[str, str]
Object = dict[str, Any]
"""A part of a Kubernetes object, which the API server judges."""


class Values(BaseModel):
    """A mapping of the values; an unknown key is an error, not a wish unheard."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Image(Values):
    repository: Annotated[str, Field(min_length=1, description="Image, with its registry.")] = "stoker"
    tag: Annotated[str, Field(description="Tag; the chart's appVersion when empty.")] = ""
    digest: Annotated[str, Field(pattern=r"^$|^sha256:[0-9a-f]{64}$", description="Digest; it wins over the tag.")] = ""
    pull_policy: Annotated[
        Literal["IfNotPresent", "Always", "Never"], Field(description="When the image is pulled.")
    ] = "IfNotPresent"
    pull_secrets: Annotated[list[Name], Field(description="Names of Secrets to pull it with.")] = []


class Crds(Values):
    enabled: Annotated[bool, Field(description="Install and upgrade the CustomResourceDefinitions.")] = True
    keep: Annotated[
        bool, Field(description="Keep them when the release is uninstalled. Without it, every VM goes with them.")
    ] = True


class Templates(Values):
    enabled: Annotated[bool, Field(description="Install the templates of heat_templates/.")] = True


class ServiceAccount(Values):
    create: Annotated[bool, Field(description="Create the service account.")] = True
    name: Annotated[Name, Field(min_length=1, description="Its name.")] = "stoker"
    annotations: Annotated[Text, Field(description="Its annotations.")] = {}


class Rbac(Values):
    create: Annotated[bool, Field(description="Create the roles, and the operator's bindings.")] = True
    aggregate: Annotated[
        bool, Field(description="Give whoever may view, edit or administer a namespace the same for its VMs.")
    ] = True


class AdmissionPolicies(Values):
    enabled: Annotated[
        bool, Field(description="Install the policies that keep identities, finalizers and requesters from forging.")
    ] = True
    stamp: Annotated[
        Literal["Auto", "Always", "Never"],
        Field(description="Have the API server write who asked. It needs Kubernetes 1.36; Auto asks the cluster."),
    ] = "Auto"


class Audit(Values):
    enabled: Annotated[
        bool, Field(description="Record each change in a cloud before it is made; what cannot be recorded is not done.")
    ] = True
    size: Annotated[Quantity, Field(description="Size of each replica's volume.")] = "1Gi"
    storage_class: Annotated[Name, Field(description="Its storage class; the cluster's default when empty.")] = ""
    ephemeral: Annotated[
        bool, Field(description="Keep the audit in the pod instead. It is lost with the pod: to try Stoker out only.")
    ] = False


class PriorityClass(Values):
    create: Annotated[bool, Field(description="Create the priority class `stoker`.")] = True
    value: Annotated[int, Field(ge=-2147483648, le=1000000000, description="Its priority.")] = 1000000
    name: Annotated[Name, Field(description="The class to use when none is created.")] = ""


class PodDisruptionBudget(Values):
    enabled: Annotated[bool, Field(description="Let a drain take one replica at a time; from two replicas on.")] = True


class NetworkPolicy(Values):
    enabled: Annotated[bool, Field(description="Let in the probes and the scrapes only, and out DNS and TCP.")] = True
    scrape_from: Annotated[
        list[Object], Field(description="Peers (`from`) that may read the metrics; everybody when empty.")
    ] = []
    egress: Annotated[
        list[Object],
        Field(
            description="Egress rules instead of all TCP: the API server, Keystone, and the services of every Cloud. "
            "DNS is always let out."
        ),
    ] = []


class Monitor(Values):
    enabled: Annotated[bool, Field(description="Create the ServiceMonitor; it needs the Prometheus operator.")] = False
    labels: Annotated[Text, Field(description="Labels that your Prometheus selects it by.")] = {}
    interval: Annotated[str, Field(pattern=r"^[0-9]+(ms|s|m)$", description="Pause between scrapes.")] = "30s"


class Rules(Values):
    enabled: Annotated[bool, Field(description="Create the PrometheusRule with the alerts; it needs the same.")] = False
    labels: Annotated[Text, Field(description="Labels that your Prometheus selects it by.")] = {}


class Dashboard(Values):
    enabled: Annotated[bool, Field(description="Create a ConfigMap with the Grafana dashboard.")] = False
    labels: Annotated[Text, Field(description="Labels that Grafana's sidecar selects it by.")] = {
        "grafana_dashboard": "1"
    }


class Metrics(Values):
    service_monitor: Annotated[Monitor, Field(description="Scraping.")] = Monitor()
    prometheus_rule: Annotated[Rules, Field(description="Alerts.")] = Rules()
    dashboard: Annotated[Dashboard, Field(description="The dashboard.")] = Dashboard()


def _setting(name: str, default: Any, text: str) -> tuple[Any, Any]:
    kind: Any = Literal[LOG_LEVELS] if name == "log_level" else type(default)
    bounds = {} if isinstance(default, str) else {"ge": 0}
    return Annotated[kind, Field(description=text, **bounds)], default


OperatorSettings = create_model(
    "OperatorSettings",
    __base__=Values,
    **{
        item.name: _setting(item.name, item.default, item.metadata["help"])
        for item in fields(Settings)
        if item.name not in OWN_SETTINGS
    },
)
"""The operator's settings that an installation may want to change, as `stoker.settings` has them."""


class ChartValues(Values):
    """The chart's values.yaml."""

    replicas: Annotated[int, Field(ge=0, le=9, description="Processes; one leads, the others wait for its Lease.")] = 2
    image: Annotated[Image, Field(description="The operator's image.")] = Image()
    crds: Annotated[Crds, Field(description="The kinds.")] = Crds()
    templates: Annotated[Templates, Field(description="VirtualMachineTemplates.")] = Templates()
    service_account: Annotated[ServiceAccount, Field(description="Who the operator is.")] = ServiceAccount()
    rbac: Annotated[Rbac, Field(description="Who may do what.")] = Rbac()
    admission_policies: Annotated[AdmissionPolicies, Field(description="What the API server refuses and fills in.")] = (
        AdmissionPolicies()
    )
    audit: Annotated[Audit, Field(description="The audit.")] = Audit()
    settings: Annotated[
        OperatorSettings, Field(description="The operator's settings.")  # type: ignore[valid-type]
    ] = OperatorSettings()
    extra_env: Annotated[list[Object], Field(description="More environment variables of the container.")] = []
    resources: Annotated[
        Object, Field(description="What the container asks for and may take; 10,000 VMs took 380 MiB.")
    ] = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}
    priority_class: Annotated[PriorityClass, Field(description="Which pods go first.")] = PriorityClass()
    pod_disruption_budget: Annotated[PodDisruptionBudget, Field(description="Drains.")] = PodDisruptionBudget()
    network_policy: Annotated[NetworkPolicy, Field(description="Whom the pods talk to.")] = NetworkPolicy()
    metrics: Annotated[Metrics, Field(description="What Prometheus and Grafana get.")] = Metrics()
    termination_grace_period_seconds: Annotated[
        int, Field(ge=0, description="How long a stopping pod may take: calls to OpenStack under way are waited for.")
    ] = 100
    pod_annotations: Annotated[Text, Field(description="Annotations of the pods.")] = {}
    pod_labels: Annotated[Text, Field(description="Labels of the pods.")] = {}
    node_selector: Annotated[Text, Field(description="Nodes to run on.")] = {}
    tolerations: Annotated[list[Object], Field(description="Taints to tolerate.")] = []
    affinity: Annotated[Object, Field(description="Affinity of the pods.")] = {}
    topology_spread_constraints: Annotated[
        list[Object], Field(description="How to spread the pods; over the nodes when empty.")
    ] = []
    common_labels: Annotated[Text, Field(description="Labels of every object.")] = {}
    extra_objects: Annotated[
        list[Object], Field(description="More objects, as they are; strings in them may be Helm templates.")
    ] = []
    global_: Annotated[Object, Field(alias="global", description="For a parent chart; not used.")] = {}
