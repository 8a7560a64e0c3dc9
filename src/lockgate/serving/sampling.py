"""An endpoint's own code, sampled: a process that takes turns with another one.

    python -m lockgate.serving.sampling JOB

- A package is loaded as a worker loads it: every file verified before it is parsed, reference answers given. What it
  looks up is read from a store in memory that holds what the package carries.
- Requests go from bytes to bytes through the plane of an endpoint, its log included. There is no transport.
- A request during which the machine gave the processor to another process is asked again, a few times: how long that
  other one took says nothing of the package. What waits by itself is not spared.
- It is asked, and answers, a line at a time on its standard streams; between two turns it does nothing. It ends when
  its standard input does. What a library prints goes to its standard error.
"""

import os
import resource
import sys
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from lockgate.features.series import pack_horizon, ready_key, series_of, tell
from lockgate.features.store import MemoryStore
from lockgate.kernel.canonical import Digest, digest_of
from lockgate.kernel.errors import Failed, LockgateError
from lockgate.kernel.folders import StateFolder
from lockgate.kernel.memory import peak_memory
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import load_package, read_seeds
from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.writer import SegmentWriter
from lockgate.records.features import FieldKind, RequestSpec
from lockgate.records.release import Release
from lockgate.records.rollout import LiveLevel, TrafficPlan
from lockgate.serving.clock import cpu_seconds, now, stopwatch
from lockgate.serving.eventclock import EventClock
from lockgate.serving.metrics import Tally
from lockgate.serving.moments import from_micros
from lockgate.serving.plane import Caller, InForce, Plane
from lockgate.serving.surroundings import Surroundings
from lockgate.serving.version import Version

__all__ = ["Asked", "Said", "Turn", "main"]

_ENDPOINT = "sampled"
_CALLER = Caller("sampler")
_TRIES = 6


class Asked(msgspec.Struct, kw_only=True):
    """What is to be sampled."""

    # The package, and where it is.
    package: Digest
    folder: str
    # Rows of requests, by field; times as text.
    rows: list[dict[str, Any]]
    # A folder of its own, for the log.
    scratch: str


class Turn(msgspec.Struct, kw_only=True):
    """A turn that is asked for; with no request, only what memory was taken."""

    # The bodies to begin with, by their places; what follows comes after them, from the first again after the last.
    only: list[int] = []
    # Where to begin.
    start: int = 0
    # Requests that are answered one by one.
    requests: int = 0
    # Requests that come all at once, and how often.
    burst: int = 0
    bursts: int = 0


class Said(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a turn came to."""

    # Seconds of each request that was answered alone.
    seconds: list[float] = []
    # Seconds of each burst, and its requests.
    bursts: list[float] = []
    burst: int = 0
    # Seconds of processor time, and predictions, of all of them together.
    cpu: float = 0.0
    predictions: int = 0
    # Requests and bursts that were interrupted each time they were asked.
    interrupted: int = 0
    # The most memory that was taken so far, in bytes.
    memory: int = 0
    # The places of bodies that were answered; once, when it is loaded.
    answered: list[int] = []
    # Why nothing can be sampled.
    error: str = ""


class _Sampler:
    """A plane with one package behind it, and bodies to put to it.

    Args:
        asked: what is to be sampled.

    Raises:
        NotFound, Corrupt, Malformed, Invalid, Failed: as `load_package`.
    """

    def __init__(self, asked: Asked) -> None:
        scratch = Path(asked.scratch)
        package = load_package(Path(asked.folder), asked.package)
        contract, release = package.contract, _release(asked.package)
        digest = digest_of(release)
        seeds = list(read_seeds(PackageReader(Path(asked.folder), asked.package)))
        store, ready = MemoryStore(), ready_key("", _ENDPOINT, digest)
        tell(store, series_of(_ENDPOINT, contract.features, contract.sources), seeds)
        store.change([ready], lambda _: [pack_horizon(None)])
        version = Version(digest, release, package, store, ready)
        around = Surroundings(StateFolder(scratch), 0, now, stopwatch, Tally())
        self._calls: deque[Callable[[], None]] = deque()
        self._plane = Plane(
            InForce(_plan(digest), version),
            around,
            clock=EventClock(replay=True),
            writer=SegmentWriter(scratch / "log", _ENDPOINT, Kind.PREDICTION, 0, now),
            first_id=0,
            soon=self._calls.append,
        )
        # A package knows what its sources told up to one moment; it is asked at that moment.
        at = max((row.available_time for row in seeds), default=None)
        moved = [_moved(row, contract.request, None if at is None else from_micros(at)) for row in asked.rows]
        self._bodies = [msgspec.json.encode({"rows": [row]}) for row in moved]

    def first(self) -> int:
        """Answer one request; give its place."""
        found = next((place for place in range(len(self._bodies)) if self._answers(place)), None)
        if found is None:
            msg = "This package answers none of the test rows"
            raise Failed(msg, expected="an answer to one of them", found=f"{len(self._bodies):,} refusals")
        return found

    def answered(self) -> list[int]:
        """Put every body once; give the places of those that were answered."""
        return [place for place in range(len(self._bodies)) if self._answers(place)]

    def take(self, turn: Turn) -> Said:
        """Take a turn."""
        places, said = turn.only, Said(burst=turn.burst)
        began, place = cpu_seconds(), turn.start
        for _ in range(turn.requests):
            said.seconds.append(self._alone([places[place % len(places)]], said))
            place += 1
        for _ in range(turn.bursts):
            said.bursts.append(self._alone([places[(place + more) % len(places)] for more in range(turn.burst)], said))
            place += turn.burst
        said.cpu, said.memory = cpu_seconds() - began, peak_memory()
        return said

    def _alone(self, places: Sequence[int], said: Said) -> float:
        """Ask until nobody comes between; of the last try, give what it took all the same."""
        for _ in range(_TRIES):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
            seconds = self._timed(places)
            said.predictions += len(places)
            if resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw == before:
                return seconds
        said.interrupted += 1
        return seconds

    def _timed(self, places: Sequence[int]) -> float:
        answers: list[bytes | LockgateError] = []
        began = stopwatch()
        for place in places:
            self._plane.submit(self._bodies[place], _CALLER, answers.append)
        while self._calls:
            self._calls.popleft()()
        seconds = stopwatch() - began
        for answer in answers:
            if isinstance(answer, LockgateError):
                raise answer
        return seconds

    def _answers(self, place: int) -> bool:
        try:
            self._timed([place])
        except LockgateError:
            return False
        return True


def _release(package: Digest) -> Release:
    """Give what stands for a release: nothing is signed before the gates."""
    return Release(
        endpoint=_ENDPOINT,
        number=1,
        package=package,
        training_run=package,
        evidence=(),
        verdicts=(),
        commit="",
        dirty=False,
        line="",
        by="sampler",
        at=now(),
    )


def _plan(release: Digest) -> TrafficPlan:
    return TrafficPlan(
        endpoint=_ENDPOINT,
        number=1,
        live=release,
        previous=None,
        level=LiveLevel.PROVISIONAL,
        reason="it is sampled",
        by="sampler",
        at=now(),
    )


def _moved(row: dict[str, Any], request: RequestSpec, at: datetime | None) -> dict[str, Any]:
    """Ask a row at a moment: all its times are moved by as much."""
    if at is None:
        return row
    span = at - datetime.fromisoformat(row[request.asked_at])
    times = {field.name for field in request.fields if field.kind is FieldKind.TIME}
    return {name: _later(value, span) if name in times and value is not None else value for name, value in row.items()}


def _later(moment: str, span: timedelta) -> str:
    return (datetime.fromisoformat(moment) + span).isoformat()


def main() -> int:
    """Be sampled; 2 when that can't be."""
    # As in a worker, which has one core.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    answers = os.dup(1)
    os.dup2(2, 1)

    def say(said: Said) -> None:
        os.write(answers, msgspec.json.encode(said) + b"\n")

    try:
        sampler = _Sampler(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Asked))
        say(Said(answered=[sampler.first()]))
        say(Said(answered=sampler.answered()))
        for line in sys.stdin.buffer:
            say(sampler.take(msgspec.json.decode(line, type=Turn)))
    except LockgateError as error:
        say(Said(error=str(error)))
        return 2
    except Exception as error:  # noqa: BLE001 - the root of a process that runs the model's library
        say(Said(error=f"{type(error).__name__}: {error}"))
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
