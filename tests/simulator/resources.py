"""Types of resources: their properties, what they check before anything is made, how they are made and freed.

The properties, and which of them change without a replacement, are those of Heat 27.0.1's schemas.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from simulator.errors import invalid
from simulator.hot import ABSENT, Evaluation, Template
from simulator.place import Place, ResourceError
from simulator.servers import free_server, make_server
from simulator.stacks import Resource
from simulator.state import new_id

VOLUMES = "VolumeLimitExceeded: Maximum number of volumes allowed ({}) exceeded for quota 'volumes'. (HTTP 413) (Request-ID: req-{})"
GIGABYTES = (
    "VolumeSizeExceedsAvailableQuota: Requested volume or snapshot exceeds allowed gigabytes quota. "
    "Requested {}G, quota is {}G and {}G has been consumed. (HTTP 413) (Request-ID: req-{})"
)
OVER_QUOTA = "Quota exceeded for resources: ['floatingip'].\nNeutron server returns request_ids: ['req-{}']"

POLICIES = {
    "image": ("image_update_policy", "REBUILD"),
    "flavor": ("flavor_update_policy", "RESIZE"),
    "user_data": ("user_data_update_policy", "REPLACE"),
}
"""A server's property → what says whether a change of it replaces the server, and the default."""


Make = Callable[[Place, Resource], None]
Look = Callable[[Place, Any], str | None]
"""Returns why the cloud does not know that name or id, or None."""


@dataclass(frozen=True)
class Kind:
    """A type of resource."""

    names: str
    """Its properties; those required have a `!`, those that change without a replacement a `~`."""

    make: Make
    free: Make = lambda _place, _resource: None
    looks: tuple[tuple[str, str], ...] = ()
    """Property → key in `LOOKS`."""

    @property
    def properties(self) -> set[str]:
        return {name.strip("!~") for name in self.names.split()}

    @property
    def required(self) -> set[str]:
        return {name.strip("!~") for name in self.names.split() if "!" in name}

    @property
    def updatable(self) -> set[str]:
        return {name.strip("!~") for name in self.names.split() if "~" in name}


def _find(what: str, known: Callable[[Place], Iterable[str]]) -> Look:
    """Return a look that words a miss like `what`, which has the value for a `{}`."""
    return lambda place, value: None if value in set(known(place)) else what.replace("{}", str(value))


def _flavors(place: Place) -> Iterable[str]:
    return (name for flavor in place.cloud.flavors.values() for name in (flavor.id, flavor.name))


def _images(place: Place) -> Iterable[str]:
    return (name for image in place.cloud.images.values() for name in (image.id, image.name))


def _networks(place: Place) -> Iterable[str]:
    return ("public", place.cloud.public_network, "private", place.project.network)


def _volume_types(place: Place) -> Iterable[str]:
    return (one for named in place.cloud.volume_types.items() for one in named)


LOOKS: dict[str, Look] = {
    "nova.flavor": _find("No Flavor matching {'name': '{}'}. (HTTP 404)", _flavors),
    "glance.image": _find("No images matching {'name': '{}'}.", _images),
    "nova.keypair": _find("The Key ({}) could not be found.", lambda place: place.project.keypairs),
    "neutron.network": _find("Unable to find network with name or id '{}'", _networks),
    "cinder.vtype": _find("The VolumeType ({}) could not be found.", _volume_types),
}


def check(place: Place, template: Template, parameters: dict[str, Any]) -> None:
    """Check every resource and parameter as Heat does before it makes a stack. Raises RefusedError."""
    for name, schema in template.parameters.items():
        for constraint in schema.get("constraints") or ():
            if missed := _missed(place, constraint.get("custom_constraint"), parameters[name]):
                raise invalid(f"Parameter '{name}' is invalid: {missed}")
    evaluation = Evaluation(template, parameters)
    for name, entry in evaluation.resources():
        kind = KINDS.get(str(entry.get("type")))
        if kind is None:
            raise invalid(f"The Resource Type ({entry.get('type')}) could not be found.")
        _check_properties(place, name, kind, evaluation.properties(entry))
    evaluation.value({key: output.get("value") for key, output in template.outputs.items()})


def _check_properties(place: Place, name: str, kind: Kind, given: dict[str, Any]) -> None:
    where = f"Property error: resources.{name}.properties"
    for key in given.keys() - kind.properties:
        raise invalid(f"{where}: Unknown Property {key}")
    for key in sorted(kind.required - given.keys()):
        raise invalid(f"{where}: Property {key} not assigned")
    for key, look in kind.looks:
        if missed := _missed(place, look, given.get(key, "")):
            raise invalid(f"{where}.{key}: {missed}")
    if isinstance(given.get("networks"), str):
        raise invalid(f"{where}.networks: \"'{given['networks']}'\" is not a list")


def _missed(place: Place, look: str | None, value: Any) -> str | None:
    """A value that is empty asks for nothing."""
    if look not in LOOKS or value in ("", None, ABSENT):
        return None
    missed = LOOKS[look](place, value)
    return f"Error validating value '{value}': {missed}" if missed else None


def replaced_by(resource: Resource, properties: dict[str, Any]) -> bool:
    """Tell whether the new properties need a new one of it."""
    keys = resource.properties.keys() | properties.keys()
    changed = {key for key in keys if resource.properties.get(key) != properties.get(key)}
    by_policy = {key for key, (policy, default) in POLICIES.items() if properties.get(policy, default) == "REPLACE"}
    return bool(changed - KINDS[resource.type].updatable | changed & by_policy)


def make(place: Place, resource: Resource) -> None:
    """Make it, or what it has become. Raises ResourceError."""
    KINDS[resource.type].make(place, resource)


def free(place: Place, resource: Resource) -> None:
    """Take it away; what is gone already is no error."""
    KINDS[resource.type].free(place, resource)


def seconds_of(properties: dict[str, Any]) -> float:
    """Return how long a TestResource wants to be worked on."""
    return float(properties.get("wait_secs") or 0)


def _make_plain(_place: Place, resource: Resource) -> None:
    resource.physical_id = resource.physical_id or new_id()


def _make_value(_place: Place, resource: Resource) -> None:
    """A string that was given as JSON is its JSON text."""
    resource.physical_id = resource.physical_id or f"{resource.name}-{secrets.token_hex(6)}"
    value = resource.properties.get("value")
    text = resource.properties.get("type") == "string" and not isinstance(value, str)
    resource.attributes["value"] = json.dumps(value) if text else value


def _make_random(_place: Place, resource: Resource) -> None:
    length = int(resource.properties.get("length") or 32)
    resource.attributes.setdefault("value", secrets.token_hex(length)[:length])


def _make_test(place: Place, resource: Resource) -> None:
    _make_plain(place, resource)
    if str(resource.properties.get("fail", False)).lower() == "true":
        raise ResourceError("ValueError", f"Test Resource failed {resource.name}")
    resource.attributes["output"] = resource.properties.get("value", "test_string")


def _make_port(place: Place, resource: Resource) -> None:
    _make_plain(place, resource)
    if "fixed_ips" not in resource.attributes:
        resource.attributes["fixed_ips"] = [{"ip_address": place.cloud.private_address()}]
    place.project.ports[resource.physical_id] = resource.attributes["fixed_ips"][0]["ip_address"]


def _free_port(place: Place, resource: Resource) -> None:
    place.project.ports.pop(resource.physical_id, None)


def _make_floating_ip(place: Place, resource: Resource) -> None:
    if not resource.physical_id:
        if len(place.project.floating_ips) >= place.project.quota["floatingip"]:
            raise ResourceError("OverQuotaClient", OVER_QUOTA.format(new_id()))
        resource.attributes["floating_ip_address"] = place.cloud.public_address()
    _make_plain(place, resource)
    place.project.floating_ips.add(resource.physical_id)
    of = str(resource.properties.get("port_id") or "")
    place.project.floating[resource.physical_id] = of, resource.attributes["floating_ip_address"]


def _free_floating_ip(place: Place, resource: Resource) -> None:
    place.project.floating_ips.discard(resource.physical_id)
    place.project.floating.pop(resource.physical_id, None)


def _make_volume(place: Place, resource: Resource) -> None:
    size, project = int(resource.properties.get("size") or 1), place.project
    if resource.physical_id in project.volumes:
        project.volumes[resource.physical_id] = size
        return
    used = sum(project.volumes.values())
    if used + size > project.quota["gigabytes"]:
        raise ResourceError("OverLimit", GIGABYTES.format(size, project.quota["gigabytes"], used, new_id()))
    if len(project.volumes) >= project.quota["volumes"]:
        raise ResourceError("OverLimit", VOLUMES.format(project.quota["volumes"], new_id()))
    _make_plain(place, resource)
    project.volumes[resource.physical_id] = size


def _free_volume(place: Place, resource: Resource) -> None:
    place.project.volumes.pop(resource.physical_id, None)


KINDS: dict[str, Kind] = {
    "OS::Heat::Value": Kind("value!~ type~", _make_value),
    "OS::Heat::None": Kind("", _make_plain),
    "OS::Heat::RandomString": Kind(
        "length sequence character_classes character_sequences salt",
        _make_random,
    ),
    "OS::Heat::TestResource": Kind(
        "value~ fail~ update_replace~ wait_secs~ action_wait_secs~ attr_wait_secs~ constraint_prop_secs~ client_name~ "
        "entity_name~ update_replace_value",
        _make_test,
    ),
    "OS::Heat::CloudConfig": Kind("cloud_config", _make_plain),
    "OS::Heat::MultipartMime": Kind("group parts", _make_plain),
    "OS::Heat::WaitConditionHandle": Kind("signal_transport", _make_plain),
    "OS::Neutron::SecurityGroup": Kind("name~ description~ rules~ stateful~", _make_plain),
    "OS::Neutron::Port": Kind(
        "name~ network! network_id device_id~ device_owner~ fixed_ips~ security_groups~ replacement_policy~ dns_name~ "
        "tags~ value_specs~ admin_state_up~ mac_address allowed_address_pairs~ binding:vnic_type~ "
        "port_security_enabled~ qos_policy~ propagate_uplink_status~ no_fixed_ips~",
        _make_port,
        _free_port,
        looks=(("network", "neutron.network"),),
    ),
    "OS::Neutron::FloatingIP": Kind(
        "floating_network! floating_network_id floating_subnet value_specs port_id~ fixed_ip_address~ "
        "floating_ip_address dns_name~ dns_domain~",
        _make_floating_ip,
        _free_floating_ip,
        (("floating_network", "neutron.network"),),
    ),
    "OS::Cinder::Volume": Kind(
        "size~ name~ description~ volume_type~ metadata~ availability_zone image imageRef snapshot_id backup_id~ "
        "source_volid scheduler_hints read_only~ multiattach",
        _make_volume,
        _free_volume,
        looks=(("volume_type", "cinder.vtype"),),
    ),
    "OS::Cinder::VolumeAttachment": Kind("instance_uuid!~ volume_id!~ mountpoint~", _make_plain),
    "OS::Nova::Server": Kind(
        "name~ flavor!~ image~ networks~ metadata~ key_name user_data~ user_data_format user_data_update_policy~ "
        "flavor_update_policy~ image_update_policy~ software_config_transport~ admin_pass~ tags~ "
        "deployment_swift_data~ block_device_mapping block_device_mapping_v2 admin_user availability_zone "
        "security_groups scheduler_hints reservation_id config_drive diskConfig personality",
        make_server,
        free_server,
        (("flavor", "nova.flavor"), ("image", "glance.image"), ("key_name", "nova.keypair")),
    ),
}
