"""An endpoint in a worker: its plane, its log, and the versions that are loaded for it.

The versions of the plan in force stay loaded, so that going back to the previous one loads nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping

import msgspec

from lockgate.kernel.canonical import Digest
from lockgate.kernel.clock import Clock
from lockgate.kernel.folders import StateFolder
from lockgate.kernel.ids import IdMaker, id_parts
from lockgate.predictionlog.index import LogIndex
from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.writer import SegmentWriter
from lockgate.records import rollout
from lockgate.records.outcome import Event
from lockgate.records.rollout import TrafficPlan
from lockgate.serving.eventclock import EventClock, latest_logged
from lockgate.serving.metrics import Tally
from lockgate.serving.plane import InForce, Plane
from lockgate.serving.version import Version

__all__ = ["Endpoint", "Surroundings"]


class Surroundings(msgspec.Struct, frozen=True):
    """What a worker gives to all of its endpoints."""

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


class Endpoint:
    """Answers under one name.

    Args:
        spec: what it is.
        around: what the worker gives.
        plan: the plan to begin with.
        versions: what it names, loaded.

    Raises:
        Corrupt: its log is damaged.
    """

    def __init__(
        self, spec: rollout.Endpoint, around: Surroundings, plan: TrafficPlan, versions: Mapping[Digest, Version]
    ) -> None:
        self.name, self.spec = spec.name, spec
        self.versions = dict(versions)
        folder = around.state.log / spec.name
        self.index = LogIndex(folder)
        self.clock = EventClock(replay=spec.replay, watermark=latest_logged(folder))
        self._writers = {
            kind: SegmentWriter(folder, spec.name, kind, around.worker, around.now) for kind in Kind
        }
        self.outcomes, self.events = self._writers[Kind.OUTCOME], self._writers[Kind.EVENT]
        newest = id_parts(self.index.newest(around.worker) or "")
        self.plane = Plane(
            InForce(plan, self.versions[plan.live]),
            clock=self.clock,
            writer=self._writers[Kind.PREDICTION],
            ids=IdMaker(around.worker),
            first_id=newest.milliseconds + 1 if newest else 0,
            now=around.now,
            stopwatch=around.stopwatch,
            soon=lambda call: asyncio.get_running_loop().call_soon(call),
            tally=around.tally,
        )
        # Events posted while versions are being loaded, which may have missed them.
        self._posted: list[Event] = []
        self._loading = 0

    @property
    def plan(self) -> TrafficPlan:
        """The plan in force."""
        return self.plane.in_force.plan

    @property
    def live(self) -> Version:
        """The version that answers."""
        return self.plane.in_force.version

    def begin_loading(self) -> None:
        """Keep what is posted from here on for the versions that are being loaded."""
        self._loading += 1

    def end_loading(self) -> None:
        """Stop keeping it."""
        self._loading -= 1
        if not self._loading:
            self._posted.clear()

    def obey(self, plan: TrafficPlan, loaded: Mapping[Digest, Version]) -> None:
        """Put a plan in force; what it does not name is let go."""
        for version in loaded.values():
            for event in self._posted:
                version.tell(event)
        known = {**self.versions, **loaded}
        self.plane.obey(InForce(plan, known[plan.live]))
        self.versions = {digest: known[digest] for digest in plan.releases() if digest in known}

    def post(self, events: Iterable[Event]) -> None:
        """Log rows of a source, then put them into the online stores.

        Raises:
            Unavailable: they can't be logged; nothing was taken.
        """
        posted = list(events)
        self.events.append(posted)
        if self._loading:
            self._posted += posted
        for version in self.versions.values():
            for event in posted:
                version.tell(event)

    def close(self) -> None:
        """End the segments."""
        for writer in self._writers.values():
            writer.close()
