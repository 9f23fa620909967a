"""What a VM says while its call waits: nothing is wrong with it."""

from __future__ import annotations

from stoker.api.conditions import ConditionStatus, ConditionType
from stoker.api.errors import ErrorCode
from stoker.api.virtualmachine import Phase
from stoker.core.actions import LookByName, Nothing
from stoker.core.decision import Decision, Outlook, Reason
from stoker.core.faults import Fault
from stoker.core.status import derive
from stoker.core.waiting import WORTH_SAYING, soon_over, suspended, throttled
from support.build import active, vm, world

LOOK = Decision(LookByName(), Reason.LOOKING, "Looking.", moving=True)
OUTAGE = Fault(ErrorCode.CLOUD_UNAVAILABLE, "the Cloud main is not called for a while")


def test_a_throttled_vm_is_on_its_way_and_comes_again_in_its_turn() -> None:
    said = throttled(LOOK, 12.5, "tenant")
    assert said == Decision(
        Nothing(),
        Reason.THROTTLED,
        "The next call to OpenStack waits: the tenant's rate limit is reached.",
        Outlook.PROGRESSING,
        12.5,
        moving=True,
    )
    assert derive(world(), said).phase is Phase.REQUESTED


def test_only_a_wait_that_a_person_would_notice_is_said() -> None:
    assert soon_over(throttled(LOOK, WORTH_SAYING - 0.1, "user"))
    assert not soon_over(throttled(LOOK, WORTH_SAYING, "user"))
    assert not soon_over(LOOK)


def test_a_vm_whose_cloud_is_not_called_is_not_called_broken() -> None:
    snapshot = world(active())
    said = suspended(snapshot, LOOK, OUTAGE, 5.0)
    assert (said.outlook, said.requeue_after, said.moving, said.fault) == (Outlook.UNKNOWN, 5.0, True, OUTAGE)
    ready = derive(snapshot, said).conditions[0]
    assert (ready.type, ready.status) == (ConditionType.READY, ConditionStatus.UNKNOWN)


def test_one_that_is_being_deleted_goes_on_deleting() -> None:
    snapshot = world(vm(deleting=True))
    said = suspended(snapshot, LOOK, OUTAGE, 5.0)
    assert said.outlook is Outlook.RETRYING
    assert derive(snapshot, said).phase is Phase.DELETING
