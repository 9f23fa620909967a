"""The trail of this process: what is recorded around an effect, and how the cluster learns where the trail ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from stoker import metrics
from stoker.audit.log import AuditLog, now
from stoker.audit.writer import AuditError, Writer
from stoker.core import recorded
from stoker.core.audit import Anchor, Head, Outcome, Record
from stoker.core.decision import Decision
from stoker.core.orphans import Doomed
from stoker.core.world import World
from stoker.kube.anchors import AnchorRefusedError, Anchors
from stoker.kube.client import KubeError
from stoker.kube.lease import Leader, LeaseLostError
from stoker.openstack.base import CloudError

log = logging.getLogger(__name__)

ANCHOR_RECORDS = 100
"""Records after which the head is anchored at once."""

ANCHOR_SECONDS = 30.0
"""Pause after which it is anchored in any case, seconds. Newer records can be cut off unseen."""


STOP_SECONDS = 5.0
"""How long a stop waits for the last anchor, seconds: a part of the half minute that a pod is given to stop."""


@dataclass(slots=True)
class Said:
    """What came of an effect; whoever performs it fills in what only the answer tells."""

    outcome: Outcome = Outcome.UNKNOWN
    error: str = ""
    stack_id: str = ""
    request_id: str | None = None


class Trail:
    """Records effects and anchors the log; without a log it does neither."""

    def __init__(self, audit: AuditLog | None, anchors: Anchors, leader: Leader) -> None:
        self._log, self._anchors, self._leader = audit, anchors, leader
        self._anchored: Head | None = None
        self._many = asyncio.Event()

    def intent(self, world: World, decision: Decision) -> Record | None:
        """Return what is to be recorded before the decision's action, if anything is."""
        if self._log is None:
            return None
        return recorded.intent(world, decision, holder=self._leader.holder, epoch=self._leader.epoch, time=now())

    def orphan(self, doomed: Doomed) -> Record | None:
        """Return what is to be recorded before the sweeper deletes a stack."""
        if self._log is None:
            return None
        return recorded.orphan(doomed, holder=self._leader.holder, epoch=self._leader.epoch, time=now())

    @asynccontextmanager
    async def around(self, intent: Record | None) -> AsyncIterator[Said]:
        """Record the intent, let the effect be done, and record what came of it.

        Raises AuditError before anything is done. An outcome that cannot be written is owed, and stops nothing: what
        was done is done.
        """
        said = Said()
        if intent is None or self._log is None:
            yield said
            return
        sequence = await self._log.append(intent)
        try:
            yield said
            said.outcome = Outcome.ACCEPTED
        except (CloudError, KubeError, LeaseLostError) as error:
            _fill_in(said, error)
            raise
        finally:
            done = recorded.outcome(
                intent, sequence, said.outcome, time=now(),
                error=said.error, stack_id=said.stack_id, request_id=said.request_id or "",
            )  # fmt: skip
            with suppress(AuditError):  # the log says so, and still owes it
                await self._log.append(done)
            self._count()

    async def keep(self) -> None:
        """Anchor the head now and then, for ever; and write what is owed."""
        while True:
            await self.anchor()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._many.wait(), ANCHOR_SECONDS)
            self._many.clear()

    async def anchor(self) -> None:
        """Write what is owed, and store the head in the cluster if it moved; a failure is logged."""
        if self._log is None:
            return
        with suppress(AuditError):  # the log says so
            await self._log.append(None)
        head = self._log.head
        if head and head != self._anchored:
            try:
                await self._anchors.write(Anchor(head, self._leader.epoch))
                self._anchored = head
            except (KubeError, ValueError) as error:
                log.warning("the audit's head is not anchored: %s", error)
            except AnchorRefusedError as error:
                log.error("the audit's head is not anchored: %s", error)  # noqa: TRY400 -- the message says it all
        self._count()

    async def close(self) -> None:
        """Anchor the last record, if the API server answers soon, and let go of the folder."""
        if self._log:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.anchor(), STOP_SECONDS)
            await self._log.close()

    def _count(self) -> None:
        head = self._log.head if self._log else None
        new = (head.sequence if head else 0) - (self._anchored.sequence if self._anchored else 0)
        metrics.AUDIT_UNANCHORED.set(new)
        if new >= ANCHOR_RECORDS:
            self._many.set()


async def open_trail(folder: str, file_mib: int, anchors: Anchors, leader: Leader) -> Trail:
    """Open the audit in a folder, or say loudly that there is none; one that cannot be opened is tried at every record.

    Where the anchors cannot be read, the chain is held against itself alone.
    """
    if not folder:
        log.warning("there is no audit: STOKER_AUDIT_DIR is empty, so nothing records what is asked of OpenStack")
        return Trail(None, anchors, leader)
    try:
        known = await anchors.read()
    except (KubeError, ValueError) as error:
        log.error("the audit's anchors cannot be read: %s", error)  # noqa: TRY400 -- the message says it all
        known = {}
    writer = Writer(Path(folder), file_mib * 1024 * 1024, known)
    trail = Trail(AuditLog(writer, leader.holder, lambda: leader.epoch), anchors, leader)
    await trail.anchor()
    return trail


def _fill_in(said: Said, error: CloudError | KubeError | LeaseLostError) -> None:
    """Say what an effect's failure means for it."""
    match error:
        case CloudError(fault=fault, request_id=request_id):
            said.outcome = Outcome.REFUSED if fault.definite else Outcome.LOST
            said.error, said.request_id = fault.code.value, request_id
        case KubeError(status=status, reason=reason):
            said.outcome, said.error = Outcome.REFUSED if 400 <= status < 500 else Outcome.LOST, reason
        case LeaseLostError():
            said.outcome = Outcome.NOT_SENT
