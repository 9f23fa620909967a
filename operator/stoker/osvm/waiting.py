"""`--wait`: what happens to a VM, line by line as it happens, on standard error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.text import Text

from stoker.api.virtualmachine import VirtualMachine
from stoker.client.progress import standing
from stoker.osvm.screen import STYLES, Screen, clean


@contextmanager
def progress(screen: Screen, name: str) -> Iterator[Callable[[VirtualMachine], None]]:
    """Give what prints a VM's changes; a terminal shows all the while that something is waited for."""
    began = time.monotonic()

    def tell(vm: VirtualMachine) -> None:
        seen = standing(vm)
        phase = vm.status.phase.value if vm.status.phase else "New"
        took = f"{time.monotonic() - began:6.1f} s  "
        screen.err.print(
            Text.assemble((took, "dim"), (f"{phase} {seen.reason}", STYLES[seen.verdict]), f"  {clean(seen.message)}")
        )

    if not screen.err.is_terminal:
        yield tell
        return
    with screen.err.status(Text(f"waiting for {clean(name)}")):
        yield tell
