"""A release's life on a fresh API server with the real helm: install, upgrade, rollback, uninstall, with live VMs.

No pod runs there (no kubelet), so the operator is a process with the environment of the chart's StatefulSet and the
token of the chart's service account.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml

import onboard
from localenv.settings import HOST, LocalSettings
from operator_run import environment as operator_environment
from simulator.local import Simulator
from support.chart import CHART, MUTATES, Helm, Object, RefusedError
from support.cluster import wait_until
from support.fresh import free_ports, fresh_kubernetes
from support.kubelet import environment, log_in
from support.operator import OperatorProcess
from support.simulated_cluster import SimulatedCluster, simulated_cluster

pytestmark = pytest.mark.kubernetes

NAMESPACE = onboard.NAMESPACE

RESTRICTED: Object = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
}
"""The operator's namespace as docs/install.md makes it: a pod that may do more is refused there."""


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSettings]:
    """An API server of its own, with nothing of Stoker in it."""
    with fresh_kubernetes(tmp_path_factory.mktemp("cluster")) as settings:
        yield settings


@dataclass
class Release:
    """The release `stoker`, its cluster and its operator."""

    settings: LocalSettings
    helm: Helm
    folder: Path
    operators: list[OperatorProcess] = field(default_factory=list)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        return onboard.kubectl(self.settings, *arguments, text=text)

    def get(self, kind: str, name: str, *more: str) -> Object:
        return dict(json.loads(self.kubectl("get", kind, name, "-o", "json", *more)))

    def previous(self) -> str:
        """Return the package of a version before: a printer column and a template less."""
        chart = self.folder / "previous"
        shutil.copytree(CHART, chart)
        (chart / "files/templates/gpu-ubuntu@v1.yaml").unlink()
        file = chart / "files/crds/stoker.dev_virtualmachines.yaml"
        crd = yaml.safe_load(file.read_text())
        crd["spec"]["versions"][0]["additionalPrinterColumns"].pop()
        file.write_text(yaml.safe_dump(crd))
        self.helm("package", str(chart), "--version", "0.0.9", "--app-version", "0.0.9", "-d", str(self.folder))
        return str(self.folder / "stoker-0.0.9.tgz")

    def run(self, *arguments: str) -> str:
        """Run a helm command on the release's namespace."""
        return self.helm(*arguments, "--namespace", NAMESPACE)

    def environment(self, port: int) -> dict[str, str]:
        """Return the environment of the first pod of the StatefulSet; only what a pod has to itself is this machine's."""
        (container,) = self.get("statefulset", "stoker", "-n", NAMESPACE)["spec"]["template"]["spec"]["containers"]
        return environment(container, f"stoker-{len(self.operators)}", self.folder, port)

    def pod(self) -> Object:
        """Return the StatefulSet's pod, which no controller makes here."""
        template = self.get("statefulset", "stoker", "-n", NAMESPACE)["spec"]["template"]
        metadata = {**template["metadata"], "name": "stoker-0", "namespace": NAMESPACE}
        claims = [{"name": "audit", "persistentVolumeClaim": {"claimName": "audit-stoker-0"}}]
        spec = {**template["spec"], "volumes": template["spec"]["volumes"] + claims}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    def start(self) -> int:
        """Start one more replica as the chart's service account; return the port of its probes."""
        log_in(self.settings)
        port = free_ports("health")["health"]
        quick = {"STOKER_METRICS_PORT": "0", "STOKER_POLL_SECONDS": "0.5", "STOKER_REST_SECONDS": "3"}
        log = str(self.folder / "operator.log")
        self.operators.append(OperatorProcess(self.settings, log, **{**self.environment(port), **quick}))
        self.operators[-1].start()
        return port

    def check(self) -> str:
        """Return what `helm test` would print: `stoker check` as the service account."""
        own = {**operator_environment(self.settings), **self.environment(0)}
        command = [sys.executable, "-m", "stoker", "check"]
        return subprocess.run(command, env=own, capture_output=True, text=True, check=False).stdout

    def stop(self) -> None:
        """Stop the replicas, as their pods would be; each must end by itself."""
        codes = [operator.stop() for operator in self.operators]
        self.operators.clear()
        assert set(codes) <= {0}, codes


def readiness(port: int) -> str:
    """Return what the process says on its readiness probe; nothing while it is not ready."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with closing(opener.open(f"http://{HOST}:{port}/readyz", timeout=5)) as answer:
            return str(answer.read().decode().strip())
    except OSError:
        return ""


@pytest.fixture
def release(fresh: LocalSettings, helm: Helm, tmp_path: Path) -> Iterator[Release]:
    release = Release(fresh, replace(helm, kubeconfig=fresh.state / "kubeconfig"), tmp_path)
    yield release
    for operator in release.operators:
        operator.kill()


@pytest.fixture
def team(fresh: LocalSettings, simulator: Simulator) -> SimulatedCluster:
    """A team whose cloud is the simulator; the namespace goes with the cluster."""
    return simulated_cluster(fresh, simulator)


def columns(release: Release) -> list[str]:
    crd = release.get("crd", "virtualmachines.stoker.dev")
    return [column["name"] for column in crd["spec"]["versions"][0]["additionalPrinterColumns"]]


def templates(release: Release) -> set[str]:
    return set(release.kubectl("get", "osvmt", "-o", "name").split())


def make(team: SimulatedCluster, name: str) -> None:
    """Make a VM as a user would, again for the moment in which the API server serves no kind that was just changed."""

    def made() -> bool:
        try:
            team.create(name)
        except SystemExit as error:
            if "There can be a delay between" not in str(error):
                raise
            return False
        return True

    wait_until(f"{name} to be taken", made)


def test_the_api_server_takes_every_object_as_it_is_written(release: Release) -> None:
    """Strictly: no field that it does not know, none twice. Templates need their kind first; the next test has them."""
    objects = release.helm.render({}, MUTATES)
    text = yaml.safe_dump_all(item for item in objects if item["kind"] not in ("VirtualMachineTemplate", "Pod"))
    release.kubectl("apply", "-f", "-", text=json.dumps(RESTRICTED))
    options = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    release.kubectl("apply", *options, "-f", "-", text=text)


def test_a_release_is_installed_upgraded_rolled_back_and_uninstalled_under_live_vms(
    release: Release, team: SimulatedCluster
) -> None:
    release.kubectl("apply", "-f", "-", text=json.dumps(RESTRICTED))
    release.run("install", "stoker", release.previous())
    team.open()
    leader, standby = release.start(), release.start()
    wait_until("one replica to lead and one to wait", lambda: {readiness(leader), readiness(standby)} == {"leading", "waiting for the lease"})  # fmt: skip
    make(team, "web-1")
    team.wait_active("web-1")
    before = columns(release)
    (stack,) = team.stacks()

    release.run("upgrade", "stoker", str(CHART))
    assert len(columns(release)) == len(before) + 1, "the kinds are upgraded"
    assert len(templates(release)) == 2
    release.stop()
    release.start()
    make(team, "web-2")
    team.wait_active("web-1", "web-2")
    assert "all is well" in release.check()
    release.kubectl("create", "--dry-run=server", "-f", "-", text=json.dumps(release.pod()))
    with pytest.raises(RefusedError, match="cannot be imported into the current release"):
        release.helm("install", "second", str(CHART), "--namespace", "default")

    release.run("rollback", "stoker", "1")
    assert columns(release) == before
    assert len(templates(release)) == 2, "templates that VMs may name are kept"
    release.run("upgrade", "stoker", str(CHART))
    assert stack in team.stacks()
    assert len(team.stacks()) == 2

    release.stop()
    release.run("uninstall", "stoker")
    assert {vm["metadata"]["name"] for vm in team.vms()} == {"web-1", "web-2"}
    assert team.tenant()
    assert len(templates(release)) == 2
    assert release.kubectl("get", "clusterrole,validatingadmissionpolicy", "-l", "app.kubernetes.io/name=stoker", "-o", "name") == ""  # fmt: skip

    team.delete("web-1")
    assert team.vm("web-1"), "without Stoker a VM stays"
    team.patch("web-1", {"metadata": {"finalizers": None}})
    assert not team.vm("web-1")
    assert stack in team.stacks(), "and its stack is left"

    release.run("install", "stoker", str(CHART))
    release.start()
    team.delete("web-2")
    team.wait_gone()
    assert team.stacks() == [stack]
    release.stop()
