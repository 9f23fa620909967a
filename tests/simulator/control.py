"""What a test does to the simulator: projects, faults, time, credentials, counts. Plain values in and out.

`Control` is called in the server's own thread: by `local.Simulator` for a test, by `/_sim/…` for everybody else.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import count
from typing import Any

from simulator.calls import Calls
from simulator.engine import Engine
from simulator.faults import KINDS, Fault, Plan
from simulator.heat_view import outputs
from simulator.hot import parse
from simulator.keystone import shown as shown_credential
from simulator.stacks import Stack
from simulator.state import Cloud, Credential, Project, new_id

EMPTY = "heat_template_version: 2021-04-16\nresources: {}\n"


class Control:
    """The simulator's own interface. A name or id that is not there raises KeyError, a bad value ValueError."""

    def __init__(self) -> None:
        self.cloud, self.plan, self.calls = Cloud(), Plan(), Calls()
        self.engine = Engine(self.cloud)
        self._numbers = count(1)

    def add_project(self, name: str, quota: dict[str, int] | None = None) -> dict[str, Any]:
        """Make a project with a user of its name; return what its client needs. `quota`: cores, ram, and so on."""
        if any(project.name == name for project in self.cloud.projects.values()):
            raise ValueError(f"there is a project {name}")
        project, credential = self.cloud.add_project(name, **(quota or {}))
        return {
            "project_id": project.id,
            "user_id": project.user_id,
            "username": project.name,
            "password": project.password,
            "application_credential_id": credential.id,
            "application_credential_secret": credential.secret,
        }

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change settings, and return all. `seconds` is merged, action by action."""
        settings = self.cloud.settings
        for key, value in changes.items():
            if key not in asdict(settings):
                raise ValueError(f"no setting {key}; there are {', '.join(asdict(settings))}")
            if key == "seconds":
                unknown = value.keys() - settings.seconds.keys()
                if unknown:
                    raise ValueError(f"no action {', '.join(sorted(unknown))}")
                settings.seconds |= value
            else:
                setattr(settings, key, value)
        return asdict(settings)

    def fail(self, **fault: Any) -> int:
        """Plan a fault; return its number."""
        return self.plan.add(Fault.of(fault))

    def faults(self) -> list[dict[str, Any]]:
        """Return the plan: each fault with how often it was met."""
        return [
            {"number": entry.number, "seen": entry.seen, "hit": entry.hit, **asdict(entry.fault)}
            for entry in self.plan.entries.values()
        ]

    def set_quota(self, project: str, **limits: int) -> dict[str, int]:
        """Change limits of a project: cores, ram (MiB), instances, floatingip, volumes, gigabytes; return all."""
        quota = self._project(project).quota
        if unknown := limits.keys() - quota.keys():
            raise ValueError(f"no limit {', '.join(sorted(unknown))}; there are {', '.join(quota)}")
        quota |= limits
        return quota

    def release(self, number: int | None = None) -> None:
        """Let go what a fault holds: late answers, zombies."""
        self.plan.release(number)

    def heal(self) -> None:
        """Forget the plan, and let go what it held."""
        self.plan.clear()

    def expire_tokens(self, project: str = "") -> int:
        """End the tokens, of one project or all; return how many."""
        found = [
            token for token in self.cloud.tokens.values() if not project or self._project(project) is token.project
        ]
        for token in found:
            token.expires = 0.0
        return len(found)

    def revoke(self, credential: str) -> None:
        """Delete an application credential; its tokens end as well."""
        del self.cloud.credentials[credential]

    def expire_credential(self, credential: str, at: float) -> dict[str, Any]:
        """Let an application credential end at that time, seconds since the epoch."""
        found: Credential = self.cloud.credentials[credential]
        found.expires = at
        return shown_credential(found)

    def add_stacks(self, project: str, amount: int, tags: str = "") -> list[str]:
        """Make that many complete stacks without resources at once; return their ids."""
        owner, template, made = self._project(project), parse(EMPTY), []
        carried = tuple(tags.split(",")) if tags else ()
        for _ in range(amount):
            number, name = self.cloud.stacks.next_number(), f"made-{next(self._numbers)}"
            stack = Stack(
                new_id(), number, name, owner.id, owner.name, template, {}, carried, None, disable_rollback=True
            )
            stack.status, stack.reason = "CREATE_COMPLETE", "Stack CREATE completed successfully"
            self.cloud.stacks.add(stack)
            made.append(stack.id)
        return made

    def copy_stack(self, stack: str, copies: list[dict[str, str]]) -> list[dict[str, Any]]:
        """Make a complete stack like that one for each `name` with its `tags`; return their ids, times and outputs."""
        pattern = self.cloud.stacks.by_id[stack]
        made = [self.engine.copy(pattern, copy["name"], tuple(copy["tags"].split(","))) for copy in copies]
        return [
            {
                "id": one.id,
                "created": one.created,
                "outputs": {entry["output_key"]: entry["output_value"] for entry in outputs(one)},
            }
            for one in made
        ]

    def set_stack(self, stack: str, status: str, reason: str = "") -> None:
        """Put a living stack into a status; nothing runs for it any more."""
        found = self.cloud.stacks.by_id[stack]
        if found.gone:
            raise ValueError(f"stack {stack} is gone")
        found.traversal += 1
        found.status, found.reason = status, reason

    def purge(self) -> int:
        """Forget deleted stacks; return how many."""
        return self.cloud.stacks.purge()

    def count(self, kind: str = "", client: str = "") -> int:
        """Return how many calls of that kind, or of any, there were from clients that begin so."""
        return self.calls.count(kind, client)

    def state(self) -> dict[str, Any]:
        """Return what there is, what was begun, and what a leak would show: servers and floating IPs of each project."""
        projects = [
            {
                "id": project.id,
                "name": project.name,
                "actions": dict(project.actions),
                "stacks": self.cloud.stacks.count(project.id),
                "servers": len(project.servers),
                "floating_ips": len(project.floating_ips),
            }
            for project in self.cloud.projects.values()
        ]
        return {"projects": projects, "stacks": len(self.cloud.stacks), "fault_kinds": KINDS}

    def _project(self, name: str) -> Project:
        for project in self.cloud.projects.values():
            if name in (project.id, project.name):
                return project
        raise KeyError(name)
