"""The endpoint's clocks: the only place in this room that reads them."""

import time
from datetime import UTC, datetime

__all__ = ["cpu_seconds", "now", "stopwatch"]


def now() -> datetime:
    """Give the current moment of the control clock, UTC."""
    return datetime.now(UTC)


def stopwatch() -> float:
    """Give seconds that only ever grow, for durations."""
    return time.monotonic()


def cpu_seconds() -> float:
    """Give the processor time that this process has taken, all its threads together."""
    return time.process_time()
