"""Gates on what a package takes: time, processor, memory, space; as ceilings, and beside the live package.

- A ceiling is held against what was measured here; a release is judged on the machine that judges it.
- A comparison stands on pairs of turns of two processes. It passes where the loss is shown to be less than what is
  tolerated, fails where there is a loss that is not, and is inconclusive where the machine told neither.
- The chance of an error is split over all that one gate compares: of two packages that take the same, one in fifty is
  refused at most; a loss as large as what is tolerated passes as seldom.
- What differs between two starts of the same package is no loss: intervals make room for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from lockgate.gates.case import Case, verdict
from lockgate.kernel.canonical import digest_of
from lockgate.kernel.verdicts import Verdict, worst
from lockgate.records.package import Evidence
from lockgate.records.verdict import GateSpec, GateVerdict
from lockgate.statistics.pairs import Ratio, ratio

__all__ = ["ALPHA", "PERFORMANCE", "RELATIVE", "compare", "compared", "performance"]

ALPHA = 0.02
"""The chance that a gate refuses a package which takes what the live one takes."""

RELATIVE = {"p50": 1, "p95": 1, "p99": 1, "throughput": -1, "cpu": 1, "cold_start": 1}
"""What is compared by shares: 1 where more is worse, -1 where less is."""

PERFORMANCE = ("cold_start", "cpu", "latency", "memory", "no_slower_than_live", "package_size", "throughput")
"""The kinds of gates that are judged here."""

_MEGABYTE = 1_000_000
_SPREAD = 0.016
_MEMORY_SPREAD = 4 * _MEGABYTE
_FEWEST_REQUESTS = {"p50": 100, "p95": 400, "p99": 2_000}
_FEWEST_PAIRS = 8
_WORDS = {"cpu": "processor time", "cold_start": "cold start", "package_size": "package", "memory": "peak memory"}
_SECONDS = {"p50", "p95", "p99", "cpu", "cold_start"}
_BYTES = {"memory", "package_size"}


class _Judged(msgspec.Struct, frozen=True):
    """One quantity, judged."""

    verdict: Verdict
    expected: str
    found: str
    note: str = ""


def compared(gate: GateSpec) -> dict[str, float]:
    """Give what a gate compares with the live package, and the loss it tolerates: a share, of bytes a number."""
    if gate.kind == "no_slower_than_live":
        return {name: float(value) for name, value in gate.parameters.items() if name in RELATIVE}
    growth = gate.parameters.get("growth")
    return {} if growth is None else {gate.kind: float(growth)}


def compare(
    quantity: str, ours: Mapping[str, Sequence[float]], theirs: Mapping[str, Sequence[float]], *, alpha: float
) -> Ratio:
    """Compare a quantity of two packages from their turns: over 1 is worse.

    Raises:
        ValueError: there are too few turns, or they are not in pairs.
    """
    first, second = (ours, theirs) if RELATIVE[quantity] > 0 else (theirs, ours)
    return ratio(first[quantity], second[quantity], alpha=alpha, spread=_SPREAD)


def performance(gate: GateSpec, case: Case) -> GateVerdict:
    """Judge by every ceiling and every comparison of a gate."""
    evidence = case.find(case.package, "performance")
    limits, relative = _limits(gate), compared(gate)
    expected = "; ".join([*(_limit_words(*one) for one in limits), *(_loss_words(*one) for one in relative.items())])
    if evidence is None:
        return verdict(gate, case, Verdict.INCONCLUSIVE, expected, "no evidence")
    if failed := evidence.values.get("failed"):
        seen = (digest_of(evidence),)
        return verdict(gate, case, Verdict.INCONCLUSIVE, expected, "nothing was sampled", note=failed, evidence=seen)
    judged = [_ceiling(evidence.values, *one) for one in limits]
    saw = [evidence]
    if relative:
        found, rival = _beside_live(case, evidence, relative)
        judged += found
        saw += [rival] if rival is not None else []
    return verdict(
        gate,
        case,
        worst(one.verdict for one in judged),
        expected,
        "; ".join(dict.fromkeys(one.found for one in judged)),
        note=" ".join(dict.fromkeys(one.note for one in judged if one.note)),
        evidence=tuple(digest_of(one) for one in saw),
    )


def _limits(gate: GateSpec) -> list[tuple[str, str, float]]:
    """Give the absolute limits: of what, which way, how much in seconds, bytes or predictions a second."""
    given = gate.parameters
    if gate.kind == "latency":
        return [(name, "at_most", float(given[name])) for name in ("p50", "p95", "p99") if name in given]
    if gate.kind == "no_slower_than_live":
        return []
    return [(gate.kind, side, float(given[side])) for side in ("at_most", "at_least") if side in given]


def _ceiling(values: Mapping[str, Any], quantity: str, side: str, limit: float) -> _Judged:
    expected, value, fewest = _limit_words(quantity, side, limit), values[quantity], _FEWEST_REQUESTS.get(quantity, 0)
    found = f"{_named(quantity)} {_amount(quantity, value)}"
    if values["requests"] < fewest:
        note = f"{quantity} needs {fewest:,} requests; {values['requests']:,} were answered in the time there was."
        return _Judged(Verdict.INCONCLUSIVE, expected, found, note)
    holds = value <= limit if side == "at_most" else value >= limit
    return _Judged(Verdict.PASS if holds else Verdict.FAIL, expected, found)


def _beside_live(case: Case, ours: Evidence, relative: Mapping[str, float]) -> tuple[list[_Judged], Evidence | None]:
    if case.live is None:
        return [_Judged(Verdict.PASS, "", "no live release", "The first release has no rival.")], None
    if case.live == case.package:
        return [_Judged(Verdict.PASS, "", "it is the live package", "")], None
    theirs = case.find(case.live, "performance")
    if theirs is None or (ours.values["beside"], theirs.values["beside"]) != (case.live, case.package):
        why = ours.values.get("alone", "")
        note = f"The live release could not be sampled beside it. {why}".strip()
        return [_Judged(Verdict.INCONCLUSIVE, "", "no samples of the live release", note)], None
    alpha = ALPHA / len(relative)
    return [_loss(name, margin, ours.values, theirs.values, alpha) for name, margin in relative.items()], theirs


def _loss(quantity: str, margin: float, ours: Mapping[str, Any], theirs: Mapping[str, Any], alpha: float) -> _Judged:
    if quantity in _BYTES:
        return _bytes(quantity, margin, ours, theirs)
    samples = ({"cold_start": one["starts"], **one["turns"]} for one in (ours, theirs))
    mine, live = samples
    if min(len(mine[quantity]), len(live[quantity])) < _FEWEST_PAIRS:
        note = f"{_named(quantity)} was compared {len(mine[quantity])} times; {_FEWEST_PAIRS} are needed."
        return _Judged(Verdict.INCONCLUSIVE, "", f"too few samples of {_named(quantity)}", note)
    one = compare(quantity, mine, live, alpha=alpha)
    amounts = f"{_amount(quantity, ours[quantity])} against {_amount(quantity, theirs[quantity])}"
    interval = f"{_share(one.low)} to {_share(one.high)}"
    found = f"{_named(quantity)} {amounts}, loss {_share(one.value)} ({interval})"
    if one.high < 1 + margin:
        return _Judged(Verdict.PASS, "", found)
    if one.low > 1:
        return _Judged(Verdict.FAIL, "", found)
    note = f"This machine was too noisy to compare {_named(quantity)} by {margin:.0%}: ship again when less runs on it."
    return _Judged(Verdict.INCONCLUSIVE, "", found, note)


def _bytes(quantity: str, margin: float, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> _Judged:
    """Compare what differs little between two starts: the peak of a process; or not at all: the size of a package."""
    growth, spread = ours[quantity] - theirs[quantity], _MEMORY_SPREAD if quantity == "memory" else 0
    between = f" (± {_amount(quantity, spread)} between two starts)" if spread else ""
    amounts = f"{_amount(quantity, ours[quantity])} against {_amount(quantity, theirs[quantity])}"
    said = Verdict.PASS if growth + spread <= margin else Verdict.FAIL
    return _Judged(said, "", f"{_named(quantity)} {amounts}{between}")


def _limit_words(quantity: str, side: str, limit: float) -> str:
    return f"{_named(quantity)} {'≤' if side == 'at_most' else '≥'} {_amount(quantity, limit)}"


def _loss_words(quantity: str, margin: float) -> str:
    much = _amount(quantity, margin) if quantity in _BYTES else f"{margin:.0%}"
    return f"{_named(quantity)} shown to be worse than live by less than {much}"


def _named(quantity: str) -> str:
    return _WORDS.get(quantity, quantity)


def _amount(quantity: str, value: float) -> str:
    if quantity in _BYTES:
        return f"{value / _MEGABYTE:,.1f} MB"
    if quantity in _SECONDS:
        return f"{value:,.2f} s" if value >= 1 else f"{value * 1000:,.3f} ms"
    return f"{value:,.0f} predictions/s"


def _share(value: float) -> str:
    return f"{value - 1:+.1%}"
