"""Faults: what can go wrong, whether a retry may help, and who must act.

The table `POLICIES` is the whole answer for every code; no other place decides about retrying. A `Fault` is a value:
it travels from the adapter through the decision into status, event, log and metric, and never holds a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stoker.api.errors import ErrorCode


class Retry(StrEnum):
    """Whether trying again may help."""

    BACKOFF = "backoff"
    """Yes, by itself: 5 s doubling to 5 min."""

    SLOW = "slow"
    """Only when somebody changes something outside the object: 1 min doubling to 1 h."""

    NEVER = "never"
    """Not before the object itself changes (a new generation)."""


class Actor(StrEnum):
    """Who must act."""

    NOBODY = "nobody"
    USER = "the VM's user"
    ADMIN = "the platform admin"
    CLOUD = "the cloud's operator"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a code means."""

    retry: Retry
    actor: Actor
    advice: str
    """What to do, as a sentence; it ends every message of this code."""


_B, _S, _N = Retry.BACKOFF, Retry.SLOW, Retry.NEVER
_C = ErrorCode

POLICIES: dict[ErrorCode, Policy] = {
    _C.FLAVOR_NOT_FOUND: Policy(_S, Actor.USER, "Use a flavor of the cloud, or have this one added."),
    _C.IMAGE_NOT_FOUND: Policy(_S, Actor.USER, "Use an image that the project can see, or have this one shared."),
    _C.NETWORK_NOT_FOUND: Policy(_S, Actor.ADMIN, "Correct the Tenant's network profile, or have the network made."),
    _C.KEY_PAIR_NOT_FOUND: Policy(_S, Actor.USER, "Use a key pair of the credential's user, or sshAuthorizedKeys."),
    _C.VOLUME_TYPE_NOT_FOUND: Policy(_S, Actor.USER, "Use a volume type of the cloud, or leave it out."),
    _C.NAME_AMBIGUOUS: Policy(_S, Actor.ADMIN, "Rename or remove all but one of them, or use the one's id."),
    _C.FLAVOR_TOO_SMALL: Policy(_S, Actor.USER, "Use a larger flavor, or another image."),
    _C.NOT_ALLOWED: Policy(_S, Actor.USER, "Use a name that the Tenant allows, or have this one allowed."),
    _C.TEMPLATE_NOT_FOUND: Policy(_S, Actor.USER, "Use a VirtualMachineTemplate of the cluster (kubectl get osvmt)."),
    _C.TEMPLATE_INVALID: Policy(_S, Actor.ADMIN, "Release a corrected version of the template."),
    _C.INVALID_SPEC: Policy(_N, Actor.USER, "Correct the spec."),
    _C.USER_DATA_NOT_FOUND: Policy(_B, Actor.USER, "Create the Secret with that key in the VM's namespace."),
    _C.TENANT_NOT_FOUND: Policy(_S, Actor.ADMIN, "Add the namespace to a Tenant."),
    _C.TENANT_NOT_READY: Policy(_S, Actor.ADMIN, "See the Tenant's conditions."),
    _C.CREDENTIALS_INVALID: Policy(_S, Actor.ADMIN, "Correct the Tenant's credentials Secret."),
    _C.UNAUTHORIZED: Policy(_S, Actor.ADMIN, "Renew the credentials in the Tenant's Secret."),
    _C.FORBIDDEN: Policy(_S, Actor.ADMIN, "Give the credential the roles it lacks."),
    _C.PROJECT_MISMATCH: Policy(_S, Actor.ADMIN, "Use credentials of the Tenant's project, or correct projectID."),
    _C.PROJECT_CHANGED: Policy(
        _S, Actor.ADMIN, "Give the namespace to a Tenant of that project until the VM is deleted."
    ),
    _C.CREDENTIAL_CANNOT_CREATE_TRUSTS: Policy(
        _S,
        Actor.ADMIN,
        "Keystone refuses trusts to application credentials: use a service user's password, or have Heat run with "
        "deferred_auth_method=password.",
    ),
    _C.ENDPOINT_NOT_ALLOWED: Policy(
        _S, Actor.ADMIN, "Add the host to the Cloud's allowedHosts, if it is the cloud's own."
    ),
    _C.CLOUD_UNAVAILABLE: Policy(_B, Actor.CLOUD, "Stoker tries again by itself."),
    _C.RATE_LIMITED: Policy(_B, Actor.NOBODY, "Stoker tries again by itself."),
    _C.TIMEOUT: Policy(_B, Actor.CLOUD, "Stoker looks again by itself."),
    _C.QUOTA_EXCEEDED: Policy(
        _S, Actor.USER, "Delete VMs, ask for less, or have the Tenant's quota raised: it goes on when there is room."
    ),
    _C.CLOUD_QUOTA_EXCEEDED: Policy(_S, Actor.ADMIN, "Free resources of the project, or have its quota raised."),
    _C.NO_VALID_HOST: Policy(_S, Actor.CLOUD, "Wait for capacity, or choose another flavor."),
    _C.NAME_CONFLICT: Policy(_S, Actor.ADMIN, "Rename or remove the foreign stack of that name."),
    _C.OWNERSHIP_LOST: Policy(_S, Actor.ADMIN, "Put Stoker's tags back on the stack."),
    _C.DUPLICATE_IDENTITY: Policy(
        _N, Actor.USER, "Delete this object, or remove its annotation stoker.dev/id and create it anew."
    ),
    _C.ADOPTION_REFUSED: Policy(
        _S, Actor.ADMIN, "Mend what is missing, or take the annotation stoker.dev/adopt-stack away."
    ),
    _C.IDEMPOTENCY_CONFLICT: Policy(
        _S, Actor.USER, "Delete this object, or give it an idempotency key of its own; no second stack is made."
    ),
    _C.STACK_MISSING: Policy(_B, Actor.USER, "Find out who deleted the stack."),
    _C.STACK_FAILED: Policy(_B, Actor.CLOUD, "Read the reason; Stoker tries a few times by itself."),
    _C.UPDATE_WOULD_REPLACE: Policy(
        _N, Actor.USER, "Take the edit back, or set allowReplace to true if their data may be lost."
    ),
    _C.SERVER_STOPPED: Policy(_N, Actor.USER, "Start the VM (powerState: Running) for the edit to be applied."),
    _C.NOT_FOUND: Policy(_B, Actor.NOBODY, "Stoker looks again by itself."),
    _C.CONFLICT: Policy(_B, Actor.NOBODY, "Stoker looks again by itself."),
    _C.AUDIT_UNAVAILABLE: Policy(
        _B, Actor.ADMIN, "Mend the audit volume: until a record can be written, Stoker changes nothing in OpenStack."
    ),
    _C.UNKNOWN: Policy(_B, Actor.CLOUD, "Stoker tries again by itself."),
}

TOLD = 6
"""Most faults told together."""

FAULT_TEXT = 400
"""Longest foreign text kept in a fault, characters: one reason of Heat with a Nova fault in it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One error: code, what happened, and how certain that is."""

    code: ErrorCode
    message: str
    """What was attempted, on what, what came back. Bounded, one line, no secret."""

    definite: bool = True
    """True when the request certainly had no effect (a refusal); False when it may still land (a lost answer)."""

    retry_after: float | None = None
    """Seconds the service asked us to wait, if it did."""

    also: tuple[ErrorCode, ...] = ()
    """The codes of what else the message tells of."""
    outage: bool = False
    """True when nothing usable answered: no connection, a time-out, a 5xx. A refusal is an answer."""

    @property
    def policy(self) -> Policy:
        return POLICIES[self.code]

    @property
    def sentence(self) -> str:
        """The message with its advice, for people."""
        advice = dict.fromkeys(POLICIES[code].advice for code in (self.code, *self.also))
        return f"{self.message.rstrip('. ')}. {' '.join(advice)}"


def together(faults: Sequence[Fault]) -> Fault:
    """Return one fault that tells of all of them, led by the one that is least likely to go away by itself."""
    first, *more = sorted(faults, key=lambda fault: list(Retry).index(fault.policy.retry), reverse=True)
    if not more:
        return first
    shown = [fault.message for fault in (first, *more[: TOLD - 1])]
    rest = f"; and {len(more) + 1 - TOLD} more" if len(more) >= TOLD else ""
    message = one_line("; ".join(one_line(message, FAULT_TEXT // 2) for message in shown), 2 * FAULT_TEXT - len(rest))
    return Fault(first.code, message + rest, also=tuple(fault.code for fault in more[: TOLD - 1]))


def one_line(text: str, limit: int = FAULT_TEXT) -> str:
    """Return foreign text fit for a message: printable, on one line, cut at `limit` characters."""
    clean = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"
