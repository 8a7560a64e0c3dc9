"""Why two values differ: explicit hypotheses, each tested on the numbers.

- A hypothesis says which of the differences it explains, and how; one with a free parameter (a factor, an offset) must
  explain several different values by the same one.
- Of all hypotheses the one that explains most is taken, then the next for what is left; of equals the one that stands
  first here, the more particular one. What none explains is unknown.
- Nothing is read but what was logged, what the snapshots hold and the packages.
"""

from collections.abc import Sequence

from lockgate.monitoring import lookup_causes, model_causes, number_causes, transform_causes, window_causes
from lockgate.monitoring.differences import Tally
from lockgate.monitoring.evidence import Context, Evidence, Found, Hypothesis
from lockgate.records.monitoring import ParityCause, ParityClass, ParityReason

__all__ = ["HYPOTHESES", "Context", "reasons_of"]

HYPOTHESES: dict[ParityClass, tuple[Hypothesis, ...]] = {
    ParityClass.TRANSFORM: (
        transform_causes.time_zone,
        transform_causes.category_order,
        transform_causes.unknown_category,
        transform_causes.null_fill,
        number_causes.float32,
        number_causes.truncation,
        number_causes.unit,
    ),
    ParityClass.DATA: (
        number_causes.coercion,
        number_causes.float32,
        number_causes.truncation,
        number_causes.unit,
        lookup_causes.time_zone,
        lookup_causes.default,
        lookup_causes.key_case,
        lookup_causes.stale,
        lookup_causes.late,
        lookup_causes.correction,
    ),
    ParityClass.WINDOW: (
        number_causes.coercion,
        number_causes.float32,
        number_causes.truncation,
        number_causes.unit,
        window_causes.late,
        window_causes.stale,
    ),
    ParityClass.MODEL: (
        model_causes.threshold,
        model_causes.other_version,
        model_causes.float32_inputs,
        number_causes.float32,
        number_causes.truncation,
        number_causes.unit,
        model_causes.library,
    ),
}
"""The hypotheses on each class, the more particular ones first."""


def reasons_of(tally: Tally, context: Context) -> tuple[ParityReason, ...]:
    """Give the causes of the differences of a column, the commonest first."""
    left = list(tally.different)
    reasons = []
    while left:
        evidence = Evidence(target=tally.target, different=left, equal=tally.equal, context=context)
        found = _best(HYPOTHESES[tally.target.part], evidence)
        if found is None:
            break
        reasons.append(_reason(found.cause, len(found.explains), len(tally.different), found.note))
        left = [one for place, one in enumerate(left) if place not in found.explains]
    if left:
        note = "no hypothesis fits"
        reasons.append(_reason(ParityCause.UNKNOWN, len(left), len(tally.different), note))
    return tuple(reasons)


def _best(hypotheses: Sequence[Hypothesis], evidence: Evidence) -> Found | None:
    found = [one for hypothesis in hypotheses if (one := hypothesis(evidence)) is not None and one.explains]
    return max(found, key=lambda one: len(one.explains), default=None)


def _reason(cause: ParityCause, explains: int, of: int, note: str) -> ParityReason:
    return ParityReason(cause=cause, explains=explains, of=of, note=note)
