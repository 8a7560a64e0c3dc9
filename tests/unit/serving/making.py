"""A plane to test with: a real version, a real log, and a loop that comes round when it is told."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from lockgate.features.store import MemoryStore
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.folders import StateFolder
from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.writer import SegmentWriter
from lockgate.records.rollout import TrafficPlan
from lockgate.serving.eventclock import EventClock
from lockgate.serving.loading import load_version
from lockgate.serving.metrics import Tally
from lockgate.serving.plane import Caller, InForce, Plane
from lockgate.serving.surroundings import Surroundings
from tests.making.online import MACHINE, prepare
from tests.making.package import NAME, START, flight, make_release

TESTER = Caller("tester")


class Hands:
    """A clock and a stopwatch that go where they are told."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def on(self, span: timedelta) -> None:
        self.now += span


class Bench:
    """A plane with all that is around it."""

    def __init__(self, root: Path, *, replay: bool = False) -> None:
        self.state = StateFolder(root)
        self.hands = Hands()
        self.tally = Tally()
        self.store = MemoryStore()
        self.around = Surroundings(self.state, 0, self.hands, self.hands.seconds, self.tally)
        self.clock = EventClock(replay=replay)
        self.log = self.state.log / NAME
        self.writer = SegmentWriter(self.log, NAME, Kind.PREDICTION, 0, self.hands)
        self.calls: deque[Callable[[], None]] = deque()
        self.plane = Plane(
            self.release(), self.around, clock=self.clock, writer=self.writer, first_id=0, soon=self.calls.append
        )

    def release(self, number: int = 1) -> InForce:
        made = make_release(self.state, number=number, seed=number)
        assert isinstance(made.plan, TrafficPlan)
        prepare(self.state, NAME, self.store)
        return InForce(made.plan, load_version(self.state, NAME, made.digest, self.store, MACHINE))

    def ask(self, *numbers: int, caller: Caller = TESTER, **changes: object) -> "Answer":
        answer = Answer()
        rows = {"rows": [flight(number, **changes) for number in numbers]}
        self.plane.submit(msgspec.json.encode(rows), caller, answer)
        return answer

    def come_round(self) -> None:
        while self.calls:
            self.calls.popleft()()


class Answer:
    """A sink that keeps what it was given."""

    def __init__(self) -> None:
        self.given: list[bytes | LockgateError] = []

    def __call__(self, answer: bytes | LockgateError) -> None:
        self.given.append(answer)

    @property
    def error(self) -> LockgateError:
        (answer,) = self.given
        assert isinstance(answer, LockgateError)
        return answer

    @property
    def body(self) -> bytes:
        (answer,) = self.given
        assert isinstance(answer, bytes)
        return answer

    @property
    def ids(self) -> list[str]:
        return [one["id"] for one in msgspec.json.decode(self.body)["predictions"]]
