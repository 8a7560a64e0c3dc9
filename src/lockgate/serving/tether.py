"""Ties a process to the one that started it: when that one is gone, however it went, this one ends.

The parent holds the other end of this process's standard input and never writes to it. When the parent dies, the system
closes that end, and the read here returns.
"""

import os
import sys
import threading
import time
from collections.abc import Callable

__all__ = ["hold"]


def hold(let_go: Callable[[], object], patience: float) -> None:
    """Watch the tether from a thread of its own, which a busy loop can't hold up.

    Args:
        let_go: called once when the tether is cut, from that thread, so that what is in flight can be finished.
        patience: seconds after which the process ends in any case.
    """
    threading.Thread(target=_watch, args=(let_go, patience), name="tether", daemon=True).start()


def _watch(let_go: Callable[[], object], patience: float) -> None:
    while os.read(sys.__stdin__.fileno() if sys.__stdin__ else 0, 1024):
        continue
    try:
        let_go()
    finally:
        time.sleep(patience)
        os._exit(1)
