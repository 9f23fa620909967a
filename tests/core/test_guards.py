"""The mutant check: without any single guard, some scenario fails. A guard that nothing needs is dead weight."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from types import CodeType, FunctionType, ModuleType

import pytest

from core import test_power, test_rules, test_scenarios, test_sweep
from core.test_rules import EDGES
from core.test_scenarios import SCENARIOS
from stoker.core import (
    absent,
    adopt,
    asked,
    claims,
    common,
    drift,
    jobs,
    orphans,
    power,
    present,
    repair,
    sweep,
    update,
    world,
)
from stoker.core.decide import decide
from support.mutants import functions, mutants, mutated


def facts(*modules: ModuleType) -> list[Callable[[], None]]:
    """Return the tests that need nothing."""
    return [
        check
        for module in modules
        for name, check in vars(module).items()
        if name.startswith("test_") and not inspect.signature(check).parameters
    ]


FACTS, SWEEP_FACTS = facts(test_power, test_rules, test_scenarios), facts(test_sweep)


def swept() -> bool:
    """Tell whether every row and fact of the sweep holds."""
    try:
        for snapshot, is_orphan in test_sweep.ORPHANS.values():
            test_sweep.test_a_stack_is_an_orphan_only_when(snapshot, is_orphan)
        for snapshot, doomed, braked in test_sweep.DOOMED.values():
            test_sweep.test_what_is_deleted_and_what_is_held(snapshot, doomed, braked)
        for check in SWEEP_FACTS:
            check()
    except Exception:  # noqa: BLE001 -- a mutant may break in any way
        return False
    return True


def unnoticed() -> bool:
    """Tell whether every scenario, edge and fact holds."""
    try:
        for snapshot, action, reason, outlook in SCENARIOS.values():
            decision = decide(replace(snapshot))  # a fresh copy: what was found out before the mutation does not count
            assert (type(decision.action), decision.reason.value, decision.outlook) == (action, reason, outlook)
        for snapshot, action, reason in EDGES.values():
            decision = decide(replace(snapshot))
            assert (type(decision.action), decision.reason.value) == (action, reason)
        for check in FACTS:
            check()
    except Exception:  # noqa: BLE001 -- a mutant may break in any way
        return False
    return True


def survives(function: FunctionType, code: CodeType) -> bool:
    with mutated(function, code):
        return swept() if inspect.getmodule(function) in (orphans, sweep) else unnoticed()


MODULES = [present, absent, common, update, jobs, power, drift, repair, world, asked, adopt, claims, sweep, orphans]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_without_any_single_guard_some_scenario_fails(module: ModuleType) -> None:
    assert unnoticed()
    assert swept()
    found = [(function, where, code) for function in functions(module) for where, code in mutants(function)]
    assert found
    assert [where for function, where, code in found if survives(function, code)] == []
