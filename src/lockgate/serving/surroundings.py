"""What a worker gives to all of its endpoints."""

from collections.abc import Callable

import msgspec

from lockgate.features.store import Readable
from lockgate.kernel.clock import Clock
from lockgate.kernel.folders import StateFolder
from lockgate.serving.asking import Ingest
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
    # What was told of sources, as ingest puts it there; None where nothing is looked up in it.
    store: Readable | None = None
    # The name under which this machine's ingest marks what is ready.
    machine: str = ""
    # The ingest process of this machine; None where there is none to ask.
    ingest: Ingest | None = None
