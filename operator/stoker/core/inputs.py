"""Inputs: what Heat is given for a VM, and its fingerprint.

Values travel only as parameters, in JSON; nothing is ever formatted into template text, so no user text can become
template syntax.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from stoker.api.parts import IngressRule, Volume
from stoker.api.tenant import NetworkProfile
from stoker.api.virtualmachine import VirtualMachineSpec
from stoker.core.boot import boot_text
from stoker.core.identity import digest
from stoker.core.slots import Slots

SPEC_TAG, TEMPLATE_TAG = "stoker-spec", "stoker-template"
"""Tags of a stack. The first tells an edit from a change of what the spec only names: a Secret, a profile, a template."""

LONGEST_TAG = 80
"""Characters of a tag that Heat takes."""

_OURS = {
    "allow_replace",
    "on_stack_missing",
    "deletion_policy",
    "termination_protection",
    "power_state",
    "drift_policy",
    "plan",
}
"""Fields of a spec that are for Stoker and never sent to Heat."""


def spec_hash(spec: VirtualMachineSpec) -> str:
    """Return the fingerprint of what a spec asks of Heat. Fields at their default do not count, so a new one changes none."""
    return digest(json.dumps(spec.model_dump(mode="json", exclude=_OURS, exclude_defaults=True), sort_keys=True))


def whole_hash(spec: VirtualMachineSpec) -> str:
    """Return the fingerprint of a whole spec, of what is no affair of Heat's too."""
    return digest(json.dumps(spec.model_dump(mode="json", exclude_defaults=True), sort_keys=True))


@dataclass(frozen=True, slots=True)
class Inputs:
    """A template and its parameters."""

    template_version: str
    """family@vN."""

    template: str
    """HOT as YAML text."""

    parameters: dict[str, Any]
    spec: str = ""
    """Fingerprint of the spec that it was composed for."""

    @property
    def tags(self) -> tuple[str, ...]:
        """What a stack made from them says of its spec and its template, beside the inputs' own hash."""
        known = (SPEC_TAG, self.spec), (TEMPLATE_TAG, self.template_version)
        return tuple(f"{key}={value}" for key, value in known if value and len(key) + len(value) < LONGEST_TAG)

    @property
    def hash(self) -> str:
        """The fingerprint: equal inputs, equal hash, whatever the order of keys."""
        return digest(json.dumps([self.template, self.parameters], sort_keys=True, separators=(",", ":")))


def parameters(
    name: str, spec: VirtualMachineSpec, network: NetworkProfile, user_data: str | None, slots: Slots
) -> dict[str, Any]:
    """Return the parameters of every template for a VM (docs: "Writing a template").

    `slots` has the name of every volume of the spec.
    `user_data` is the user's text wherever it came from, or None; what the VM boots with also has its SSH keys.
    """
    volumes = {volume.name: volume for volume in spec.volumes}
    return {
        "name": name,
        "image": spec.image,
        "flavor": spec.flavor,
        "network": network.network,
        "external_network": network.external_network or "",
        "public_ip": spec.public_ip,
        "key_name": spec.key_name or "",
        "user_data": boot_text(user_data, spec.ssh_authorized_keys),
        "volumes": [_volume(volumes.get(slot)) for slot in slots],
        "ingress": [_rule(rule) for rule in spec.ingress],
        "gpu_count": spec.gpu_count,
    }


def _volume(volume: Volume | None) -> dict[str, Any]:
    """Return what is in a slot; of a free one all is empty, as in one beyond the list."""
    if volume is None:
        return {"name": "", "size_gib": "", "type": ""}
    return {"name": volume.name, "size_gib": volume.size_gib, "type": volume.type or ""}


def _rule(rule: IngressRule) -> dict[str, Any]:
    """Return a rule as OS::Neutron::SecurityGroup takes it; ICMP has no ports, and IPv6 is said."""
    ports = rule.port_range
    return {
        "protocol": rule.protocol.value,
        "remote_ip_prefix": rule.cidr,
        "ethertype": "IPv6" if ":" in rule.cidr else "IPv4",
        **({"port_range_min": ports[0], "port_range_max": ports[1]} if ports else {}),
    }
