"""The mutant check: without any single guard, some scenario fails. A guard that nothing needs is dead weight."""

from __future__ import annotations

import inspect
from dataclasses import replace
from types import CodeType, FunctionType, ModuleType

import pytest

from core import test_power, test_rules, test_scenarios
from core.test_rules import EDGES
from core.test_scenarios import SCENARIOS
from stoker.core import absent, adopt, asked, claims, common, drift, jobs, power, present, repair, update, world
from stoker.core.decide import decide
from support.mutants import functions, mutants, mutated

FACTS = [
    check
    for module in (test_power, test_rules, test_scenarios)
    for name, check in vars(module).items()
    if name.startswith("test_") and not inspect.signature(check).parameters
]


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
        return unnoticed()


MODULES = [present, absent, common, update, jobs, power, drift, repair, world, asked, adopt, claims]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_without_any_single_guard_some_scenario_fails(module: ModuleType) -> None:
    assert unnoticed()
    found = [(function, where, code) for function in functions(module) for where, code in mutants(function)]
    assert found
    assert [where for function, where, code in found if survives(function, code)] == []
