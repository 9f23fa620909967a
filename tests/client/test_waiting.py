"""The typed client beside a working operator: what it waits for, and what ends a wait."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from localenv.settings import REPOSITORY
from stoker.api.errors import ErrorCode
from stoker.api.virtualmachine import Phase, VirtualMachine
from stoker.client import Client, StalledError, VirtualMachineSpec, standing
from support.cluster import wait_until
from support.operator import OperatorThread
from support.simulated_cluster import SimulatedCluster

pytestmark = pytest.mark.kubernetes


def test_a_life_is_waited_for_from_create_to_gone_with_its_progress(
    user: Client, simulated: SimulatedCluster, operator: OperatorThread, spec: VirtualMachineSpec
) -> None:
    seen: list[VirtualMachine] = []
    name = user.create_vm(spec, name="web-1").vm.metadata.name
    vm = user.wait_until(name, progress=seen.append)
    assert (vm.status.phase, vm.status.stack is not None) == (Phase.ACTIVE, True)
    assert [one.status.phase for one in seen][-1] is Phase.ACTIVE
    assert user.list_vms(phase=Phase.ACTIVE)[0].metadata.name == name
    wait_until("its Event", lambda: "Active" in {event.reason for event in user.get_vm_events(name)})

    user.stop_vm(name)
    assert user.wait_until(name).status.power_state == "Stopped", "an older Ready does not count"
    user.start_vm(name)
    user.wait_until(name)
    asked = user.restart_vm(name)
    assert user.wait_until(name, asked=asked).status.restart_id == asked.value

    user.delete_vm(name)
    user.wait_gone(name)
    assert simulated.stacks() == []
    commands = sorted(one.spec.type for one in user.list_operations(name))  # those of one second are in any order
    assert commands == ["Create", "Delete", "Restart", "Start", "Stop"]
    assert {one.spec.requested_by for one in user.list_operations(name)} == {"alice"}


def test_a_vm_that_needs_a_person_ends_the_wait_at_once(
    user: Client, simulated: SimulatedCluster, operator: OperatorThread, spec: VirtualMachineSpec
) -> None:
    user.create_vm(spec.model_copy(update={"flavor": "m1.tyni"}), name="web-1")
    with pytest.raises(StalledError, match=r"m1\.tyni") as stalled:
        user.wait_until("web-1")
    assert (stalled.value.code, stalled.value.reason) == (ErrorCode.FLAVOR_NOT_FOUND, "FlavorNotFound")

    user.delete_vm("web-1")
    user.wait_gone("web-1")

    user.create_vm(spec, name="web-2", annotations={"stoker.dev/paused": "true"})
    with pytest.raises(StalledError) as paused:
        user.wait_until("web-2")
    assert (paused.value.code, paused.value.reason) == (ErrorCode.CONFLICT, "Paused")


def test_a_retry_is_waited_for_from_its_answer_although_the_vm_is_stalled_before(
    user: Client, simulated: SimulatedCluster, operator: OperatorThread, spec: VirtualMachineSpec
) -> None:
    simulated.project.simulator.fail("status", "POST", "/stacks$", status=400, message="no such thing")
    user.create_vm(spec, name="web-1")
    with pytest.raises(StalledError):
        user.wait_until("web-1")
    told: list[str] = []
    user.wait_until("web-1", asked=user.retry_vm("web-1"), progress=lambda vm: told.append(standing(vm).reason))
    assert (told[0], told[-1], len(told)) == ("InvalidSpec", "Active", len(set(told)))


def test_the_five_lines_of_the_manual_work_as_they_stand(
    user: Client, simulated: SimulatedCluster, operator: OperatorThread, tmp_path
) -> None:
    text = (REPOSITORY / "docs/client.md").read_text()
    (snippet,) = re.findall(r"```python\n# job\.py\n(.*?)```", text, re.DOTALL)
    (tmp_path / "job.py").write_text(snippet.replace("team-a", simulated.name))
    for expected in ("10.", "10."):  # the second run is the same job again: the same VM
        done = subprocess.run(
            [sys.executable, str(tmp_path / "job.py"), "order-7"],
            env={"KUBECONFIG": str(simulated.settings.state / "kubeconfig-alice"), "PATH": ""},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert expected in done.stdout
    assert len(simulated.stacks()) == 1
    user.delete_vm(user.list_vms()[0].metadata.name)
