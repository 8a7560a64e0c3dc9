"""What a worker gives to all of its endpoints."""

from collections.abc import Callable

import msgspec

from lockgate.kernel.clock import Clock
from lockgate.kernel.folders import StateFolder
from lockgate.serving.metrics import Tally

__all__ = ["Surroundings"]


class Surroundings(msgspec.Struct, frozen=True):
    """What is around an endpoint."""

    # The files.
    state: StateFolder
    # The worker's number.
    worker: int
    # The control clock.
    now: Clock
    # Seconds that only grow.
    stopwatch: Callable[[], float]
    # What is counted.
    tally: Tally
