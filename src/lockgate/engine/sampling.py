"""Samples packages side by side: each in a warm process of its own, taking turns, so that drift meets both.

- A pair of turns asks both the same requests; who begins changes from pair to pair.
- It goes on until every comparison that is wanted is as sharp as its margin needs, or the time is up. It looks at how
  wide the intervals are, never at which side they lie, so that looking often decides nothing.
- The first turns only warm the processes.
"""

import contextlib
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from lockgate.gates.performance import RELATIVE, compare
from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import Failed
from lockgate.serving.clock import stopwatch
from lockgate.serving.sampling import Asked, Said, Turn

__all__ = ["Contender", "Sampling", "sample"]

_TURN_SECONDS = 0.02
_FEWEST, _MOST = 20, 400
# A burst should be over before the machine gives the processor to somebody else.
_BURST_SECONDS, _BURSTS_SECONDS = 0.001, 0.01
_SMALLEST, _LARGEST, _MOST_BURSTS = 4, 32, 20
_WARM = 3
_LEAST_PAIRS, _LOOK_PAIRS = 24, 12
_PATIENCE = 60.0
_SHARP = 0.5


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A package that is sampled."""

    # The package, and where it is.
    package: Digest
    folder: Path
    # Requests that can be put to it, by field, times as text; the same ones for both.
    rows: list[dict[str, Any]]


class Sampling(msgspec.Struct, frozen=True, kw_only=True):
    """How long is sampled."""

    # For each quantity that is compared the loss that is tolerated, as a share.
    margins: dict[str, float] = {}
    # The chance of an error that is left to each of them.
    alpha: float = 0.02
    # Seconds of sampling, at least and at most.
    least: float = 1.0
    most: float = 5.0
    # How often a process is started beside the first time, for the cold start.
    starts: int = 0


class _Process:
    """A process that is sampled; it is ended with the context."""

    def __init__(self, contender: Contender, scratch: Path) -> None:
        scratch.mkdir(parents=True)
        asked = Asked(
            package=contender.package, folder=str(contender.folder), rows=contender.rows, scratch=str(scratch)
        )
        job = scratch / "asked.json"
        job.write_bytes(msgspec.json.encode(asked))
        self._output = (scratch / "output.log").open("wb")
        self._began = stopwatch()
        self._child = subprocess.Popen(  # noqa: S603 - our own module
            [sys.executable, "-m", "lockgate.serving.sampling", str(job)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._output,
            start_new_session=True,
            # As a worker: libraries read it before they are asked anything.
            env={"OMP_NUM_THREADS": "1", **os.environ},
        )
        self.cold_start = 0.0

    def first(self) -> None:
        """Wait for the first answer."""
        self._hear()
        self.cold_start = stopwatch() - self._began

    def answered(self) -> list[int]:
        """Give which bodies it answers."""
        return self._hear().answered

    def take(self, turn: Turn) -> Said:
        """Have it take a turn."""
        if self._child.stdin is None:
            raise Failed("Nothing can be asked", found="no pipe")
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.write(msgspec.json.encode(turn) + b"\n")
            self._child.stdin.flush()
        return self._hear()

    def _hear(self) -> Said:
        line = self._child.stdout.readline() if self._child.stdout else b""
        if not line:
            msg = "A process that was sampled died"
            raise Failed(msg, expected="an answer", found=f"exit code {self._child.wait()}")
        said = msgspec.json.decode(line, type=Said)
        if said.error:
            msg = "A package can't be sampled"
            raise Failed(msg, expected="answers to test rows", found=said.error)
        return said

    def close(self) -> None:
        """End it."""
        self._child.kill()
        self._child.wait()
        for stream in (self._child.stdin, self._child.stdout, self._output):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def sample(contenders: Sequence[Contender], sampling: Sampling) -> list[dict[str, Any]]:
    """Sample one package, or two side by side; give for each what gates judge by.

    Raises:
        Failed: one of them can't be loaded, or there is no request that all of them answer.
    """
    with tempfile.TemporaryDirectory(prefix="lockgate-sampling-") as name, contextlib.ExitStack() as stack:
        processes = [_begin(stack, one, Path(name) / str(place)) for place, one in enumerate(contenders)]
        for process in processes:
            process.first()
        answered = set.intersection(*(set(process.answered()) for process in processes))
        if not answered:
            msg = "No test row is answered by both packages"
            raise Failed(msg, expected="a request that both answer", found="none")
        turn = _calibrated(processes, sorted(answered))
        taken: list[list[Said]] = [[] for _ in processes]
        for pair in _pairs(processes, turn, sampling, taken):
            for one, said in zip(taken, pair, strict=True):
                one.append(said)
        starts = [[process.cold_start] for process in processes]
        for again in range(sampling.starts):
            for place in _order(len(contenders), again):
                with contextlib.ExitStack() as short:
                    process = _begin(short, contenders[place], Path(name) / f"{place}-{again}")
                    process.first()
                    starts[place].append(process.cold_start)
        # Starts at the same time are in each other's way: where others were made, these are left out.
        starts = [one[1:] or one for one in starts]
    return [_values(*one) for one in zip(contenders, taken, starts, strict=True)]


def _begin(stack: contextlib.ExitStack, contender: Contender, scratch: Path) -> _Process:
    process = _Process(contender, scratch)
    stack.callback(process.close)
    return process


def _order(count: int, pair: int) -> list[int]:
    order = list(range(count))
    return order if pair % 2 == 0 else order[::-1]


def _calibrated(processes: Sequence[_Process], only: list[int]) -> Turn:
    """Warm up; give a turn of a length that interruptions seldom fall into, the same for both."""
    turn = Turn(only=only, requests=_FEWEST, burst=_LARGEST, bursts=1)
    for _ in range(_WARM):
        warm = [process.take(turn) for process in processes]
    typical = max(float(np.median(said.seconds)) for said in warm)
    turn.requests = max(_FEWEST, min(_MOST, round(_TURN_SECONDS / typical)))
    each = max(said.bursts[0] for said in warm) / _LARGEST
    turn.burst = max(_SMALLEST, min(_LARGEST, round(_BURST_SECONDS / each)))
    turn.bursts = max(2, min(_MOST_BURSTS, round(_BURSTS_SECONDS / (turn.burst * each))))
    return turn


def _pairs(
    processes: Sequence[_Process], turn: Turn, sampling: Sampling, taken: Sequence[Sequence[Said]]
) -> Iterator[list[Said]]:
    began = stopwatch()
    for pair in itertools.count():
        turn.start = pair * turn.requests
        said = {place: processes[place].take(turn) for place in _order(len(processes), pair)}
        yield [said[place] for place in range(len(processes))]
        if _enough(stopwatch() - began, sampling, taken):
            return


def _enough(seconds: float, sampling: Sampling, taken: Sequence[Sequence[Said]]) -> bool:
    pairs = len(taken[0])
    if pairs < _LEAST_PAIRS or seconds < sampling.least:
        return seconds >= _PATIENCE
    if seconds >= sampling.most or len(taken) == 1:
        return True
    return pairs % _LOOK_PAIRS == 0 and _sharp([_turns(one) for one in taken], sampling)


def _sharp(turns: Sequence[Mapping[str, Sequence[float]]], sampling: Sampling) -> bool:
    """Tell whether each interval is narrow enough to tell no loss from the loss that is tolerated."""
    for quantity, margin in sampling.margins.items():
        if quantity in RELATIVE and compare(quantity, *turns, alpha=sampling.alpha).width > _SHARP * np.log1p(margin):
            return False
    return True


def _turns(taken: Sequence[Said]) -> dict[str, list[float]]:
    """Give each quantity turn by turn."""
    percentiles = np.array([np.percentile(one.seconds, [50, 95, 99]) for one in taken])
    return {
        **{f"p{percent}": percentiles[:, place].tolist() for place, percent in enumerate((50, 95, 99))},
        "throughput": [one.burst / float(np.median(one.bursts)) for one in taken],
        "cpu": [one.cpu / one.predictions for one in taken],
    }


def _values(contender: Contender, taken: Sequence[Said], starts: Sequence[float]) -> dict[str, Any]:
    turns, seconds = _turns(taken), [one for said in taken for one in said.seconds]
    p50, p95, p99 = np.percentile(seconds, [50, 95, 99]).tolist()
    return {
        "requests": len(seconds),
        "interrupted": sum(said.interrupted for said in taken),
        "p50": p50,
        "p95": p95,
        "p99": p99,
        "throughput": float(np.median(turns["throughput"])),
        "cpu": float(np.median(turns["cpu"])),
        "memory": taken[-1].memory,
        "package_size": sum(path.stat().st_size for path in contender.folder.rglob("*") if path.is_file()),
        "cold_start": float(np.median(starts)),
        "starts": list(starts),
        "turns": turns,
    }
