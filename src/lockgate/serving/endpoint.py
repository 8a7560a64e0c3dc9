"""An endpoint in a worker: its plane, its log, and the versions that are loaded for it.

The versions of the plan in force stay loaded, so that going back to the previous one loads nothing.
"""

import asyncio
from collections.abc import Mapping

from lockgate.kernel.canonical import Digest
from lockgate.kernel.ids import id_parts
from lockgate.predictionlog.index import LogIndex
from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.writer import SegmentWriter
from lockgate.records import rollout
from lockgate.records.outcome import Event, Outcome
from lockgate.records.rollout import TrafficPlan
from lockgate.serving.eventclock import EventClock, latest_logged
from lockgate.serving.events import event_readers
from lockgate.serving.outcomes import OutcomeReader
from lockgate.serving.plane import InForce, Plane
from lockgate.serving.surroundings import Surroundings
from lockgate.serving.version import Version

__all__ = ["Endpoint"]


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
        self._writers = {kind: SegmentWriter(folder, spec.name, kind, around.worker, around.now) for kind in Kind}
        newest = id_parts(self.index.newest(around.worker) or "")
        self.plane = Plane(
            InForce(plan, self.versions[plan.live]),
            around,
            clock=self.clock,
            writer=self._writers[Kind.PREDICTION],
            first_id=newest.milliseconds + 1 if newest else 0,
            soon=lambda call: asyncio.get_running_loop().call_soon(call),
        )
        self._read_as_loaded()

    @property
    def plan(self) -> TrafficPlan:
        """The plan in force."""
        return self.plane.in_force.plan

    @property
    def live(self) -> Version:
        """The version that answers."""
        return self.plane.in_force.version

    def obey(self, plan: TrafficPlan, loaded: Mapping[Digest, Version]) -> None:
        """Put a plan in force; what it does not name is let go."""
        known = {**self.versions, **loaded}
        self.plane.obey(InForce(plan, known[plan.live]))
        self.versions = {digest: known[digest] for digest in plan.releases() if digest in known}
        self._read_as_loaded()

    def post(self, events: list[Event]) -> tuple[str, int]:
        """Log rows of a source, from where ingest takes them; give the segment and the byte up to which they stand.

        Raises:
            Unavailable: they can't be logged; nothing was taken.
        """
        self._writers[Kind.EVENT].append(events)
        self.clock.move(min(event.event_time, event.available_time) for event in events)
        return self._writers[Kind.EVENT].place

    def hear(self, outcomes: list[Outcome]) -> None:
        """Log outcomes.

        Raises:
            Unavailable: they can't be logged; none was taken.
        """
        self._writers[Kind.OUTCOME].append(outcomes)
        self.clock.move(outcome.observed_at for outcome in outcomes)

    def close(self) -> None:
        """End the segments."""
        for writer in self._writers.values():
            writer.close()

    def _read_as_loaded(self) -> None:
        """Read outcomes from here on as the live version's contract says, and events as all loaded ones want them."""
        live = self.live
        others = [version.contract for version in self.versions.values() if version is not live]
        self.outcome_reader = OutcomeReader(self.name, live.contract, replay=self.spec.replay)
        self.event_readers = event_readers(self.name, [live.contract, *others])
