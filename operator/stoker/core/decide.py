"""`decide`: the first rule that answers wins, so the two tuples below are the specification.

PRESENT and ABSENT start alike: nothing is done for a double, nothing without our finalizer, and an answer is recorded
before anything else happens. The rules themselves are in `common`, `claims`, `present`, `adopt`, `update`, `jobs` and
`absent`, each named by what it guarantees. What a pause holds back is not a rule but a bound on all of them: `asked.held_back`.
"""

from __future__ import annotations

from collections.abc import Callable

from stoker.core import absent, adopt, asked, claims, common, jobs, present, update
from stoker.core.decision import Decision
from stoker.core.world import World

Rule = Callable[[World], Decision | None]

PRESENT: tuple[Rule, ...] = (
    common.a_double_touches_nothing,
    present.identity_is_stored_first,
    common.an_answer_is_recorded,
    claims.a_key_makes_one_stack,
    present.what_was_never_asked_for_needs_admission,
    common.what_cannot_be_seen_is_left_alone,
    # at least one stack is proven ours
    present.doubles_of_the_stack_are_removed,
    common.an_open_create_is_settled_by_its_stack,
    update.an_update_is_settled_by_its_stack,
    present.a_stack_without_a_record_gets_one,
    present.work_in_progress_is_left_alone,
    present.what_heat_did_is_read_before_a_failure_is_recorded,
    present.a_failed_create_is_recorded,
    present.a_failed_stack_is_cleaned_up_before_the_next_try,
    update.a_failed_update_is_recorded,
    present.outputs_are_read_once,
    present.a_complete_stack_ends_its_create,
    update.an_unanswered_update_may_still_land,
    update.an_update_that_is_over_is_ended,
    jobs.a_command_is_settled_by_what_is_seen,
    jobs.an_unanswered_command_may_still_land,
    jobs.a_command_that_is_over_is_ended,
    jobs.an_accepted_command_is_waited_for,
    jobs.a_failed_command_backs_off,
    jobs.a_command_is_claimed_first,
    jobs.a_command_follows_a_look_after_its_claim,
    jobs.what_is_stuck_is_said,
    update.an_edit_needs_admission,
    update.a_failed_update_backs_off,
    update.a_stopped_server_is_not_resized,
    update.an_update_is_previewed,
    update.an_update_is_claimed_first,
    update.an_update_follows_a_look_after_its_claim,
    present.another_failure_waits_for_a_person,
    jobs.what_drifted_is_said,
    present.a_complete_stack_is_settled,
    # none is
    present.a_foreign_stack_is_never_touched,
    present.an_unanswered_create_may_still_land,
    adopt.an_adoption_follows_a_look_after_its_claim,
    present.a_create_follows_a_look_after_its_claim,
    present.an_accepted_stack_that_vanished_failed,
    present.a_failure_backs_off,
    adopt.a_stack_to_adopt_is_proven_first,
    present.a_failure_is_followed_by_another_try,
    present.a_stack_that_was_there_is_missed,
    present.a_create_is_claimed_first,
)

ABSENT: tuple[Rule, ...] = (
    absent.what_has_no_finalizer_of_ours_goes,
    common.a_double_touches_nothing,
    common.an_answer_is_recorded,
    absent.what_was_never_claimed_goes,
    absent.an_abandoned_vm_is_let_go,
    absent.a_protected_vm_keeps_its_stack,
    common.what_cannot_be_seen_is_left_alone,
    absent.an_unsent_create_is_given_up,
    absent.an_unanswered_create_may_still_land,
    absent.an_update_may_still_land_on_what_is_retained,
    # at least one stack is proven ours
    common.an_open_create_is_settled_by_its_stack,
    absent.a_retained_stack_is_recorded_and_left,
    absent.a_delete_is_claimed_first,
    absent.every_stack_of_ours_is_deleted,
    # none is
    absent.a_recorded_stack_is_proven_gone,
    absent.open_operations_are_ended,
    absent.a_deletion_is_recorded,
    absent.what_is_gone_is_released,
)

RULES: tuple[Rule, ...] = tuple(dict.fromkeys((*PRESENT, *ABSENT)))


def decide(world: World) -> Decision:
    """Return the first answer of the rules for this VM's desired state."""
    for rule in ABSENT if world.deleting else PRESENT:
        decision = rule(world)
        if decision is not None:
            return _asked_beside(world, decision)
    raise AssertionError("unreachable: the last rule of each tuple always answers")


def _asked_beside(world: World, decision: Decision) -> Decision:
    """Return what follows from a rule's answer once it is known what people ask by annotation."""
    if asked.is_paused(world):
        return asked.held_back(decision)
    return asked.explained(world, decision) if world.deleting else decision
