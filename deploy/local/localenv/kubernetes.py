"""The Kubernetes half: etcd, an API server and a controller manager, and what the cluster must hold to be useful.

There are no nodes and no scheduler, so no pod ever runs; the operator runs on the host with a kubeconfig.
Which programs run is `assets`, who may enter is `access`.
"""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterable
from pathlib import Path

from . import assets, encryption
from .access import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, TENANTS, Access, base_objects
from .process import Process, require_free, run, say
from .settings import HOST, REPOSITORY, LocalSettings

CRDS = REPOSITORY / "crds"
MANIFESTS = REPOSITORY / "deploy" / "manifests"

START_SECONDS = 90.0
"""Longest start of one program. An idle machine needs 4 s; one that compiles at the same time, ten times that."""

QUOTA_BYTES = 4 << 30
"""The largest size of etcd's data: twice its default, so that load tests of many objects fit."""

OPERATOR_KUBECONFIG_LIFE = "8760h"
"""A year, so that a token does not end under a running environment."""

SERVED = ("jsonpath={.status.conditions}", "condition=Established")
"""What kubectl waits for, in this order, until the kinds of a CRD are served. A CRD that was made just now has null for
conditions, and of those the second fails at once (seen with kubectl 1.32)."""

CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",
)
"""Without them: no namespace ever goes, no owner reference counts, no default account, an empty role `edit`."""


def up(settings: LocalSettings) -> None:
    """Start what does not run yet, and bring the cluster's contents to what the repository says."""
    kubectl = start(settings)
    access = Access(settings)
    _fill_cluster(access, kubectl)
    write_operator_kubeconfig(access, kubectl)
    say(f"Kubernetes {kubectl.server_version()} is ready: export KUBECONFIG={access.kubeconfig()}")


def start(settings: LocalSettings) -> Kubectl:
    """Start what does not run yet; a fresh cluster has nothing of ours in it."""
    programs = assets.find(settings)
    access = Access(settings)
    access.tokens()
    _start_etcd(settings, programs)
    was_plain = not encryption.is_set_up(access)
    _start_api_server(settings, access, programs)
    access.write_kubeconfigs()
    _start_controllers(settings, access, programs)
    _link(programs["kubectl"], settings)
    kubectl = Kubectl(programs["kubectl"], access)
    if was_plain:  # an environment of before: any write of a Secret encrypts it
        kubectl("annotate", "secrets", "--all", "--all-namespaces", "--overwrite", "stoker.dev/local=encrypted")
    return kubectl


def down(settings: LocalSettings) -> None:
    """Stop our processes, each before the one it depends on."""
    for process in reversed(_processes(settings)):
        if process.pid() is not None:
            say(f"stopping {process.name}")
        process.stop()


def status(settings: LocalSettings) -> bool:
    """Say what runs; return whether everything does."""
    for process in _processes(settings):
        pid = process.pid()
        say(f"{process.name}: {f'running, pid {pid}' if pid else 'not running'}; log {process.log}")
    ready = _api_ready(Access(settings))
    say(f"API server at {settings.url('KUBERNETES', scheme='https')}: {'ready' if ready else 'not ready'}")
    return ready and all(process.pid() for process in _processes(settings))


def reset(settings: LocalSettings) -> None:
    """Start again with an empty cluster; tokens and certificates stay, so kubeconfigs of users stay valid."""
    down(settings)
    shutil.rmtree(_etcd_data(settings), ignore_errors=True)
    up(settings)


def snapshot(_settings: LocalSettings) -> None:
    """Do nothing: a reset rebuilds the cluster from the repository in seconds."""
    say("nothing to keep: `reset` rebuilds the cluster from the repository")


class Kubectl:
    """kubectl as the administrator of the local cluster."""

    def __init__(self, program: Path, access: Access) -> None:
        self._command = [str(program), "--kubeconfig", str(access.kubeconfig())]
        # kubectl caches discovery by address: a cache of our own never mixes two clusters that shared a port.
        self._environment = {"KUBECACHEDIR": str(access.folder / "kubectl-cache")}

    def __call__(self, *arguments: str) -> str:
        """Run one kubectl command; return what it printed, or raise SystemExit with it when it fails."""
        return run([*self._command, *arguments], env=self._environment)

    def apply(self, files: Iterable[Path], manager: str) -> None:
        """Apply files on the server's side, taking over fields that others changed.

        One manager must not apply two versions of an object: a field absent from the later version is removed.
        """
        names = [f"--filename={file}" for file in files]
        if names:
            self("apply", "--server-side", "--force-conflicts", f"--field-manager={manager}", *names)

    def server_version(self) -> str:
        """Return the version the API server reports, such as `v1.36.3`."""
        return str(json.loads(self("get", "--raw", "/version"))["gitVersion"])


def _processes(settings: LocalSettings) -> list[Process]:
    """Return the half's processes, each after the one it depends on."""
    return [Process(name, settings) for name in ("etcd", "kube-apiserver", "kube-controller-manager")]


def _etcd_data(settings: LocalSettings) -> Path:
    return Access(settings).folder / "etcd"


def _start_etcd(settings: LocalSettings, programs: dict[str, Path]) -> None:
    etcd = Process("etcd", settings)
    if etcd.pid() is None:
        require_free(settings, "ETCD", "ETCD_PEER")
        say("starting etcd")
    client, peer = settings.url("ETCD"), settings.url("ETCD_PEER")
    etcd.start([
        str(programs["etcd"]),
        f"--data-dir={_etcd_data(settings)}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        f"--quota-backend-bytes={QUOTA_BYTES}",
        "--unsafe-no-fsync",  # faster; a crash of the machine may lose the data, and `reset` brings it back
        "--log-level=warn",
    ])  # fmt: skip
    etcd.wait_ready(lambda: _answers(f"{client}/health"), START_SECONDS)


def _start_api_server(settings: LocalSettings, access: Access, programs: dict[str, Path]) -> None:
    server = Process("kube-apiserver", settings)
    encrypts = f"--encryption-provider-config={encryption.configuration(access)}"
    if server.pid() is not None and not server.was_started_with(encrypts):
        say("restarting kube-apiserver, which keeps Secrets in the clear")
        server.stop()
    if server.pid() is None:
        require_free(settings, "KUBERNETES")
        say("starting kube-apiserver")
    server.start([
        str(programs["kube-apiserver"]),
        f"--etcd-servers={settings.url('ETCD')}",
        f"--bind-address={HOST}",
        f"--secure-port={settings.ports['KUBERNETES']}",
        # Without these two it wants a network interface with a default route, and dies on an offline laptop.
        f"--advertise-address={HOST}",
        "--endpoint-reconciler-type=none",
        f"--cert-dir={access.certificates}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={access.account_key}",
        f"--service-account-signing-key-file={access.account_key}",
        f"--token-auth-file={access.token_file}",
        "--authorization-mode=RBAC",
        encrypts,
        "--service-cluster-ip-range=10.0.0.0/24",
    ])  # fmt: skip
    server.wait_ready(lambda: _api_ready(access), START_SECONDS)


def _start_controllers(settings: LocalSettings, access: Access, programs: dict[str, Path]) -> None:
    manager = Process("kube-controller-manager", settings)
    if manager.pid() is None:
        require_free(settings, "CONTROLLER_MANAGER")
        say("starting kube-controller-manager")
    kubeconfig = access.controller_kubeconfig
    manager.start([
        str(programs["kube-controller-manager"]),
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--authentication-skip-lookup",  # else it logs errors for ever: this API server has no client authorities
        "--use-service-account-credentials",  # each controller with its own built-in role, as in a real cluster
        f"--service-account-private-key-file={access.account_key}",
        f"--controllers={','.join(CONTROLLERS)}",
        "--leader-elect=false",
        f"--bind-address={HOST}",
        f"--secure-port={settings.ports['CONTROLLER_MANAGER']}",
        f"--cert-dir={access.certificates}",
    ])  # fmt: skip


def _fill_cluster(access: Access, kubectl: Kubectl) -> None:
    """Apply what the environment and the repository want in the cluster, and wait until it counts."""
    base = access.folder / "base.json"
    base.write_text(json.dumps(base_objects(), indent=2))
    kubectl.apply([base], manager="stoker-local-base")
    crds = sorted(CRDS.glob("*.yaml"))
    if crds:
        kubectl.apply(crds, manager="stoker-local")
        for sign in SERVED:
            kubectl("wait", f"--for={sign}", "--timeout=60s", *(f"--filename={file}" for file in crds))
    kubectl.apply(sorted(MANIFESTS.glob("*.yaml")), manager="stoker-local")
    process = Process("kube-controller-manager", access.settings)
    process.wait_ready(lambda: _controllers_work(access), START_SECONDS)


def _controllers_work(access: Access) -> bool:
    """Return whether the controllers have done their first work: default accounts, and rules in the role `edit`."""
    token = access.tokens()["admin"]
    role = access.get("/apis/rbac.authorization.k8s.io/v1/clusterroles/edit", token)
    accounts = [access.get(f"/api/v1/namespaces/{name}/serviceaccounts/default", token) for name in TENANTS.values()]
    return bool(role and json.loads(role).get("rules")) and all(accounts)


def write_operator_kubeconfig(access: Access, kubectl: Kubectl) -> None:
    """Write the operator's kubeconfig, with the token it has while that still opens the door (it may be in use)."""
    path = access.kubeconfig("operator")
    token = json.loads(path.read_text())["users"][0]["user"]["token"] if path.exists() else ""
    # No token would pass too: anyone may read /version. A token that is not valid is refused everywhere.
    if not (token and access.get("/version", token)):
        account = (OPERATOR_ACCOUNT, f"--namespace={OPERATOR_NAMESPACE}", f"--duration={OPERATOR_KUBECONFIG_LIFE}")
        token = kubectl("create", "token", *account).strip()
    access.write_kubeconfig(path, OPERATOR_ACCOUNT, token, OPERATOR_NAMESPACE)


def _link(kubectl: Path, settings: LocalSettings) -> None:
    """Offer the kubectl in use under `bin`, which `.local/env` puts on the PATH."""
    link = settings.state / "bin" / "kubectl"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(kubectl)


def _api_ready(access: Access) -> bool:
    return access.authority.exists() and access.get("/readyz", access.tokens()["admin"]) == b"ok"


def _answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
