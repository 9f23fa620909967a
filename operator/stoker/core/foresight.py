"""Foresight: what an edit of a VM would do to its stack, told from manifest, status and template alone.

For those who may not ask Heat: `kubectl osvm plan`. The operator never acts on it; it asks Heat itself for a preview.
A conformance test holds both against each other. What Heat alone can tell is said in `Foreseen.notes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stoker.api.base import ObjectMeta
from stoker.api.template import VirtualMachineTemplate
from stoker.api.tenant import NetworkProfile, Tenant, TenantSpec
from stoker.api.virtualmachine import PowerState, VirtualMachine
from stoker.core.admission import admit
from stoker.core.faults import Fault, one_line
from stoker.core.hot import Planned, planned
from stoker.core.inputs import Inputs, spec_hash
from stoker.core.stack import Plan
from stoker.core.update import not_resized

IN_PLACE: dict[str, frozenset[str]] = {
    "OS::Nova::Server": frozenset({"name", "flavor", "image", "networks", "metadata", "user_data", "tags"}),
    "OS::Neutron::Port": frozenset({"name", "fixed_ips", "security_groups", "allowed_address_pairs", "dns_name"}),
    "OS::Neutron::SecurityGroup": frozenset({"name", "description", "rules"}),
    "OS::Neutron::FloatingIP": frozenset({"port_id", "fixed_ip_address"}),
    "OS::Cinder::Volume": frozenset({"name", "description", "size", "volume_type", "metadata"}),
    "OS::Cinder::VolumeAttachment": frozenset({"instance_uuid", "volume_id"}),
}
"""Type → properties that Heat changes in place (`update_allowed` in the schemas of Heat 27.0.1); others replace."""

_BY_POLICY = {
    "image": ("image_update_policy", "REBUILD"),
    "flavor": ("flavor_update_policy", "RESIZE"),
    "user_data": ("user_data_update_policy", "REPLACE"),
}
"""A server's property → the property that says how it changes, and its default."""

_UNSAID = {"user_data"}
"""Properties whose values are not shown: they may hold a secret."""

SHOWN = 60
"""Longest value that is shown, characters."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What an edit would do, as far as it can be told without Heat."""

    plan: Plan
    why: Mapping[str, tuple[str, ...]]
    """Resource → what changes of it, as `property: before → after`."""

    refusal: Fault | None
    """Why Stoker would not carry the edit out, or None."""

    notes: tuple[str, ...] = ()
    """What else would happen, and what cannot be told here."""

    told: bool = True
    """False when it cannot be told here what would change."""

    @property
    def empty(self) -> bool:
        """True when nothing of the stack would change."""
        plan = self.plan
        return self.told and not (plan.updated or plan.replaced or plan.added or plan.deleted)


def foresee(
    old: VirtualMachine | None,
    new: VirtualMachine,
    templates: Mapping[str, VirtualMachineTemplate],
    tenant: Tenant | None = None,
) -> Foreseen:
    """Tell what making `old` into `new` would do; `old` is None for a VM that is not there yet.

    `templates` are by object name. Without a tenant, whom users cannot read, network profiles are only names.
    """
    inputs = _inputs(new, templates, tenant)
    if isinstance(inputs, Fault):
        return Foreseen(Plan(), {}, inputs)
    made = old if old and old.status.stack else None
    before = _inputs(made, templates, tenant) if made else None
    notes = tuple(_notes(made, new, tenant))
    if isinstance(before, Fault):
        note = f"What the stack was made from is not known ({before.message}): what would change is for Heat to tell."
        return Foreseen(Plan(), {}, None, (*notes, note), told=False)
    try:
        wanted = planned(inputs.template, inputs.parameters)
        there = planned(before.template, before.parameters) if before else {}
    except ValueError as error:
        return Foreseen(Plan(), {}, None, (*notes, f"{error}: what would change is for Heat to tell."), told=False)
    if made and spec_hash(made.spec) == spec_hash(new.spec):
        return Foreseen(Plan(unchanged=tuple(wanted)), {}, None, notes)
    plan, why, unsure = compare(there, wanted)
    return Foreseen(plan, why, _refusal(made, new, plan), (*notes, *unsure))


def _inputs(
    vm: VirtualMachine, templates: Mapping[str, VirtualMachineTemplate], tenant: Tenant | None
) -> Inputs | Fault:
    """Return what Heat would be given; user data of a Secret and networks nobody can read go by their names."""
    source = vm.spec.user_data_from
    secret = f"<Secret {source.secret_key_ref.name}, key {source.secret_key_ref.key}>" if source else None
    text = secret or vm.spec.user_data
    return admit(vm, tenant or _nameless(vm.spec.network_profile), templates, text, [vm.status.volume_slots])


def _nameless(profile: str) -> Tenant:
    """Return a Tenant that has the profile, whose networks are called after it."""
    network, external = f"network of the profile {profile}", f"external network of the profile {profile}"
    spec = TenantSpec(
        cloud="unknown",
        project_id="unknown",
        namespaces=("unknown",),
        credentials_secret="unknown",
        network_profiles=(NetworkProfile(name=profile, network=network, external_network=external),),
    )
    return Tenant(metadata=ObjectMeta(name="unknown"), spec=spec)


def compare(
    there: Mapping[str, Planned], wanted: Mapping[str, Planned]
) -> tuple[Plan, dict[str, tuple[str, ...]], list[str]]:
    """Return what would happen to each resource, what changes of it, and what only Heat knows."""
    ways: dict[str, list[str]] = {way: [] for way in ("unchanged", "updated", "replaced", "added", "deleted")}
    why: dict[str, tuple[str, ...]] = {}
    unsure = []
    for name, resource in wanted.items():
        before = there.get(name)
        changed = _changed(before, resource) if before else []
        if before is None:
            ways["added"].append(name)
        elif not changed:
            ways["unchanged"].append(name)
        else:
            ways["replaced" if _replaces(before, resource, changed) else "updated"].append(name)
            why[name] = tuple(_said(key, before, resource) for key in changed)
            if resource.type not in IN_PLACE:
                unsure.append(f"Whether {name} ({resource.type}) would be replaced is for Heat's preview to tell.")
    ways["deleted"] = [name for name in there if name not in wanted]
    _follow(ways, wanted, why)
    lost = {name: there[name].type for name in (*ways["replaced"], *ways["deleted"])}
    unchanged, updated, replaced, added, deleted = (tuple(names) for names in ways.values())
    return Plan(unchanged, updated, replaced, added, deleted, lost), why, unsure


def _changed(before: Planned, after: Planned) -> list[str]:
    if before.type != after.type:
        return ["type"]
    keys = sorted({*before.properties, *after.properties})
    return [key for key in keys if before.properties.get(key) != after.properties.get(key)]


def _replaces(before: Planned, after: Planned, changed: list[str]) -> bool:
    """Tell whether Heat makes the resource anew. One of an unknown type is believed to be changed in place, and a note says so."""
    if before.type != after.type:
        return True
    in_place = IN_PLACE.get(after.type)
    if in_place is None:
        return False
    policies = {key: after.properties.get(*_BY_POLICY[key]) for key in changed if key in _BY_POLICY}
    return not in_place.issuperset(changed) or "REPLACE" in policies.values()


def _follow(ways: dict[str, list[str]], wanted: Mapping[str, Planned], why: dict[str, tuple[str, ...]]) -> None:
    """Move what refers to a replaced resource from unchanged to updated: it gets the new one's id."""
    for name in list(ways["unchanged"]):
        if new := sorted(_references(wanted[name].properties) & set(ways["replaced"])):
            ways["unchanged"].remove(name)
            ways["updated"].append(name)
            why[name] = tuple(f"refers to the new {one}" for one in new)


def _references(node: Any) -> set[str]:
    """Return the resources that get_resource and get_attr name anywhere in it."""
    if isinstance(node, list):
        return {name for part in node for name in _references(part)}
    if not isinstance(node, dict):
        return set()
    found = _references(list(node.values()))
    if isinstance(one := node.get("get_resource"), str):
        found.add(one)
    if isinstance(path := node.get("get_attr"), list) and path:
        found.add(str(path[0]))
    return found


def _said(key: str, before: Planned, after: Planned) -> str:
    if before.type != after.type:
        return f"type: {before.type} → {after.type}"
    if key in _UNSAID:
        return f"{key}: another text"
    return f"{key}: {_value(before.properties, key)} → {_value(after.properties, key)}"


def _value(properties: Mapping[str, Any], key: str) -> str:
    value = properties.get(key)
    if value in (None, "", []):
        return "none"
    return one_line(", ".join(map(_rule, value)) if key == "rules" else str(value), SHOWN)


def _rule(rule: Mapping[str, Any]) -> str:
    """Return a rule of a security group in words."""
    ports = sorted({str(rule[key]) for key in ("port_range_min", "port_range_max") if key in rule}, key=int)
    return " ".join(
        [str(rule.get("protocol")), *(["-".join(ports)] if ports else []), f"from {rule.get('remote_ip_prefix')}"]
    )


def _refusal(made: VirtualMachine | None, new: VirtualMachine, plan: Plan) -> Fault | None:
    """Return why the edit would be refused, in the operator's own order and words (`core.update`)."""
    stopped = made is not None and made.status.power_state == PowerState.STOPPED
    if made and stopped and new.spec.power_state is PowerState.STOPPED and made.spec.flavor != new.spec.flavor:
        return not_resized(made.spec.flavor, new.spec.flavor)
    if plan.losses and not new.spec.allow_replace:
        return plan.cost("update")
    return None


def _notes(made: VirtualMachine | None, new: VirtualMachine, tenant: Tenant | None) -> Iterator[str]:
    if made and made.status.applied_generation != made.metadata.generation:
        yield "The VM's present spec is not applied yet, so this compares with that spec and not with the stack."
    if made and made.status.stack and made.status.stack.outdated:
        yield "A Secret, network profile or template changed since the stack was made: the edit applies that as well."
    if made and new.spec.power_state != made.spec.power_state:
        yield f"The server is {'stopped' if new.spec.power_state is PowerState.STOPPED else 'started'} first."
    if new.spec.user_data_from:
        yield "User data comes from a Secret, whose content is not compared."
    if tenant is None:
        yield f"Whether your Tenant has the network profile {new.spec.network_profile} is not known here."
