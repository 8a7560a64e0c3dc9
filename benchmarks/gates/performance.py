"""How often the performance gate refuses what takes the same, and what takes more, while another process burns a core.

A trial is what a walk does: two processes are started, sampled in turns, and judged. Losses are planted in what runs:

- a slowdown and a loss of throughput: the model, a plain function, goes round its loop more often, so that the whole
  request, or the whole burst, takes a tenth longer;
- growth of memory: the package carries a table of rows that nothing looks up, which takes 50 MB more once it is loaded.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from scipy import stats  # type: ignore[import-untyped]

from benchmarks.harness import Figure, at_most
from lockgate.engine.machine import machine
from lockgate.engine.performance import sampling_for
from lockgate.engine.sampling import Contender, Sampling, sample
from lockgate.gates.judge import Case, judge
from lockgate.kernel.canonical import canonical, digest_of, sha256
from lockgate.kernel.verdicts import Verdict
from lockgate.packages.folder import pack
from lockgate.packages.runtime import CODE, CONTRACT, MODEL, REFERENCE, encode_table
from lockgate.records.package import Evidence, Reference
from lockgate.records.verdict import GateSpec, GateVerdict
from tests.making.package import ENVIRONMENT, NAME, contract, flight

__all__ = ["measure"]

_SLOWER = GateSpec(kind="no_slower_than_live", parameters={"p95": 0.1, "throughput": 0.1})
_MEMORY = GateSpec(kind="memory", parameters={"growth": 50_000_000})
_ROUNDS = 400
_PLANTED = 1.1
_GROWTH = 50_000_000
_FEW, _LETTERS = 1_000, 10_000
_TRIAL_SECONDS = 8.0
_LONG = Sampling(least=3.0, most=3.0)
_NOTHING = sha256(b"")
_LINES = """def score(origin, carrier, distance, local_hour, wind_speed, year):
    total = 0.0
    for step in range({rounds}):
        total = total + step * 0.5
    return 0.5 if total >= 0.0 else 0.25
"""


def measure(*, trials: int = 40, rounds: int = _ROUNDS, burn: bool = True) -> list[Figure]:
    """Judge pairs of packages; the goals are those of 200 trials of a case, and shares of fewer.

    Args:
        trials: of each case.
        rounds: of the model's loop.
        burn: whether another process burns a core meanwhile.
    """
    with tempfile.TemporaryDirectory(prefix="lockgate-") as name, _burning(burn):
        made = _Packages(Path(name), rounds)
        live = made.package("live", rounds)
        cases = {
            "nothing planted": (live, [_SLOWER, _MEMORY]),
            "10 % slower at p95": (made.slower("p95"), [_SLOWER]),
            "10 % less throughput": (made.slower("throughput"), [_SLOWER]),
            "50 MB more memory": (made.larger(), [_MEMORY]),
        }
        tried = {what: [_trial(live, one, gates) for _ in range(trials)] for what, (one, gates) in cases.items()}
    figures = [_refused(what, found, planted=what != "nothing planted") for what, found in tried.items()]
    seconds = [one for found in tried.values() for _, one in found]
    note = f"median {statistics.median(seconds):.1f} s of {len(seconds)} trials"
    return [*figures, at_most("a trial, the longest", max(seconds), "s", _TRIAL_SECONDS, note)]


def _refused(what: str, found: Sequence[tuple[GateVerdict, float]], *, planted: bool) -> Figure:
    count, trials = sum(not verdict.verdict.opens for verdict, _ in found), len(found)
    interval = stats.binomtest(count, trials).proportion_ci(0.95, method="exact")
    kinds = [verdict.verdict.value for verdict, _ in found]
    note = f"{count} of {trials}; 95 % interval {interval.low:.3f} to {interval.high:.3f}; "
    note += ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    share, goal = count / trials, "at least 0.95 (190 of 200)" if planted else "at most 0.05 (10 of 200)"
    met = share >= 0.95 if planted else share <= 0.05
    return Figure(name=f"refused: {what}", value=share, unit="share", goal=goal, met=met, note=note)


def _trial(live: Contender, candidate: Contender, gates: list[GateSpec]) -> tuple[GateVerdict, float]:
    """Sample a package beside the live one, and judge it; gives the worst verdict."""
    began = time.perf_counter()
    values = sample([candidate, live], sampling_for(gates))
    # The same package may stand on both sides: it is judged under another name.
    ours, theirs = sha256(b"candidate"), live.package
    at, here = datetime.now(UTC), machine()
    evidence = tuple(
        Evidence(package=one, kind="performance", on=_NOTHING, at=at, machine=here, values={**found, "beside": other})
        for one, other, found in zip((ours, theirs), (theirs, ours), values, strict=True)
    )
    case = Case(package=ours, checks=(), evidence=evidence, live=theirs)
    verdict = max((judge(gate, case) for gate in gates), key=lambda one: list(Verdict).index(one.verdict))
    return verdict, time.perf_counter() - began


class _Packages:
    def __init__(self, folder: Path, rounds: int) -> None:
        self._folder, self._rounds = folder, rounds
        self._rows = [flight(number) for number in range(256)]

    def package(self, name: str, rounds: int, more: dict[str, bytes] | None = None) -> Contender:
        """Pack a model whose loop goes round so often."""
        code = {"name": "score", "source": _LINES.format(rounds=rounds), "literals": {}}
        reference = Reference(x=((0.0, 0.0, 100.0, 8.0, 5.0, 1990.0),), scores=(0.5,), tolerance=1e-9)
        planes = dict([encode_table("planes", [(f"N{place}", (1990 + place,)) for place in range(4)])])
        files = {
            CONTRACT: canonical(contract()),
            MODEL: b"",
            CODE: msgspec.json.encode(code),
            REFERENCE: canonical(reference),
        }
        folder = self._folder / name
        digests = {"training_set": _NOTHING, "code": _NOTHING, "environment": digest_of(ENVIRONMENT)}
        digest, _ = pack(
            folder, files | planes | (more or {}), project=NAME, format="python/1", parameters={}, **digests
        )
        return Contender(package=digest, folder=folder, rows=self._rows)

    def slower(self, quantity: str) -> Contender:
        """Pack a model that goes round so much more often that a quantity is worse by a tenth, as measured."""
        half, whole = self.package(f"half {quantity}", self._rounds // 2), self.package(quantity, self._rounds)
        short, long = (_seconds(one, quantity) for one in sample([half, whole], _LONG))
        each = (long - short) / (self._rounds - self._rounds // 2)
        return self.package(f"slower {quantity}", self._rounds + round((_PLANTED - 1) * long / each))

    def larger(self) -> Contender:
        """Pack a model with a table that takes so much more memory, as measured."""
        plain, count, growth = self.package("plain", self._rounds), _FEW, 0.0
        # Memory is given out in pieces, so what is wanted is come to, not computed.
        while growth < _GROWTH:
            count = round(1.02 * count * _GROWTH / growth) if growth else count
            large = self._with_rows(count)
            more, none = sample([large, plain], _LONG)
            growth = more["memory"] - none["memory"]
        return large

    def _with_rows(self, count: int) -> Contender:
        path, data = encode_table("unasked", [(f"row {place}", (f"{place:{_LETTERS}}",)) for place in range(count)])
        return self.package(f"{count} rows", self._rounds, {path: data})


def _seconds(values: dict[str, Any], quantity: str) -> float:
    """Give what a planted loss is a share of: a request at p95, or a prediction of a burst."""
    return float(values["p95"] if quantity == "p95" else 1 / values["throughput"])


@contextmanager
def _burning(burn: bool) -> Iterator[None]:  # noqa: FBT001 - it is what it is
    """Keep a core busy with something else."""
    if not burn:
        yield
        return
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        child.kill()
        child.wait()
