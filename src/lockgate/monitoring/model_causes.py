"""Hypotheses on scores and answers: another model, another threshold, the same model in other arithmetic."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Failed
from lockgate.monitoring.differences import Difference
from lockgate.monitoring.evidence import Evidence, Found
from lockgate.monitoring.number_causes import as_number
from lockgate.packages.runtime import LoadedPackage
from lockgate.records.features import FieldKind
from lockgate.records.monitoring import ParityCause

__all__ = ["float32_inputs", "library", "other_version", "threshold"]

_SEVERAL = 3
_NEAR = 1e-3
"""How far scores of one model may lie apart in another arithmetic, as a share of their range."""


def threshold(evidence: Evidence) -> Found | None:
    """Scores were turned into answers at another threshold."""
    if evidence.target.kind is not FieldKind.BOOL:
        return None
    everything = (*evidence.different, *evidence.equal)
    true = [one.prediction.score for one in everything if one.served is True]
    false = [one.prediction.score for one in everything if one.served is False]
    low, high = max(false, default=-math.inf), min(true, default=math.inf)
    if low > high:
        return None
    stated = evidence.context.package.contract.threshold
    where = f"between {low:.6g} and {high:.6g}" if low < high else f"at {high:.6g}"
    return evidence.found(
        ParityCause.THRESHOLD, lambda _: True, f"answers turn true {where}; the contract says from {stated:g} on"
    )


def other_version(evidence: Evidence) -> Found | None:
    """The model of another version in the span gives what was served."""
    if evidence.target.name != "score":
        return None
    best: Found | None = None
    for version, package in evidence.context.rivals.items():
        width = len(package.contract.features.columns)
        same_width = all(len(one.prediction.x) == width for one in evidence.different)
        if version == evidence.context.version or not same_width:
            continue
        found = _by_scores(evidence, package, lambda x: x, ParityCause.OTHER_VERSION, f"v{version} gives these scores")
        if found is not None and (best is None or len(found.explains) > len(best.explains)):
            best = found
    return best


def float32_inputs(evidence: Evidence) -> Found | None:
    """The model gives what was served on inputs of 32 bits."""
    if evidence.target.name != "score":
        return None
    note = "the model gives these scores when its inputs are rounded to 32 bits"
    return _by_scores(
        evidence, evidence.context.package, lambda x: x.astype(np.float32).astype(np.float64), ParityCause.FLOAT32, note
    )


def _by_scores(
    evidence: Evidence,
    package: LoadedPackage,
    change: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    cause: ParityCause,
    note: str,
) -> Found | None:
    x = np.array([one.prediction.x for one in evidence.different], dtype=np.float64)
    try:
        scores = package.score(change(x))
    except Failed:
        return None
    tolerance = package.reference_result["tolerance"]
    given = {id(one): score for one, score in zip(evidence.different, scores, strict=True)}
    return evidence.found(cause, lambda one: abs(given[id(one)] - one.served) <= tolerance, note)


def library(evidence: Evidence) -> Found | None:
    """The same model in other arithmetic: scores lie close beside those derived, all over their range."""
    if evidence.target.name != "score":
        return None
    pairs = _pairs(evidence.different)
    derived = [expected for _, expected in pairs]
    width = max(derived, default=0.0) - min(derived, default=0.0)
    if len({*derived}) < _SEVERAL or not width:
        return None

    def fits(one: Difference) -> bool:
        served, expected = as_number(one.served), as_number(one.expected)
        return served is not None and expected is not None and abs(served - expected) <= _NEAR * width

    worst = max((abs(served - expected) for served, expected in pairs), default=0.0)
    return evidence.found(
        ParityCause.LIBRARY,
        fits,
        f"on inputs that are equal bit for bit the same model differs by up to {worst:.2g}, more than its stated"
        " tolerance: its library, or the machine's arithmetic, was another one",
        at_least=_SEVERAL,
    )


def _pairs(different: Sequence[Difference]) -> list[tuple[float, float]]:
    both = ((as_number(one.served), as_number(one.expected)) for one in different)
    return [(served, expected) for served, expected in both if served is not None and expected is not None]
