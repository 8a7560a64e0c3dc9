"""Hypotheses on a matrix column: another zone, another vocabulary, filled nulls."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from lockgate.monitoring.differences import Difference
from lockgate.monitoring.evidence import Evidence, Found
from lockgate.packages.runtime import LoadedPackage
from lockgate.records.features import FieldKind, InputKind
from lockgate.records.monitoring import ParityCause
from lockgate.records.prediction import Prediction

__all__ = ["category_order", "null_fill", "time_zone", "unknown_category"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZONES: Mapping[str, tzinfo] = {"UTC": UTC} | {
    f"UTC{hours:+d}": timezone(timedelta(hours=hours)) for hours in range(-12, 15) if hours
}


def time_zone(evidence: Evidence) -> Found | None:
    """The closure gives what was served when it is handed times in another zone."""
    features = evidence.context.package.contract.features
    number = [column.name for column in features.columns].index(evidence.target.name)
    if features.columns[number].kind is not InputKind.FEATURE:
        return None
    best: Found | None = None
    for name, zone in _ZONES.items():
        note = f"times were handed over in {name}, not in {features.timezone}"
        given = {id(one): _derived(evidence.context.package, one.prediction, zone) for one in evidence.different}
        fits = _gives(given, number)
        found = evidence.found(ParityCause.TIME_ZONE, fits, note)
        if found is not None and (best is None or len(found.explains) > len(best.explains)):
            best = found
    return best


def _gives(given: Mapping[int, list[float]], number: int) -> Callable[[Difference], bool]:
    return lambda one: given[id(one)][number] == one.served


def _derived(package: LoadedPackage, one: Prediction, zone: tzinfo) -> list[float]:
    """Derive the matrix row with times in some zone."""
    fields = package.contract.request.fields
    row = [
        (_EPOCH + timedelta(microseconds=value)).astimezone(zone)
        if field.kind is FieldKind.TIME and value is not None
        else value
        for field, value in zip(fields, one.row, strict=True)
    ]
    return package.features(row, [known.values for known in one.known])[0]


def category_order(evidence: Evidence) -> Found | None:
    """Codes are the right ones of another order: each category always became one other code."""
    if evidence.target.kind is not FieldKind.CATEGORY:
        return None
    seen: defaultdict[float, Counter[float]] = defaultdict(Counter)
    for one in (*evidence.different, *evidence.equal):
        if one.served is not None and one.expected is not None:
            seen[one.expected][one.served] += 1
    became = {expected: codes.most_common(1)[0][0] for expected, codes in seen.items()}
    if len(set(became.values())) < len(became):
        return None
    words = evidence.context.package.contract.vocabulary[evidence.target.name]
    some = ", ".join(f"{words[int(code)]} {code:g} → {other:g}" for code, other in sorted(became.items())[:3])
    return evidence.found(
        ParityCause.CATEGORY_ORDER,
        lambda one: one.expected is not None and one.served is not None and became[one.expected] == one.served,
        f"each category became one other code: {some}",
    )


def unknown_category(evidence: Evidence) -> Found | None:
    """Only one of the two knew the category."""
    if evidence.target.kind is not FieldKind.CATEGORY:
        return None

    def fits(one: Difference) -> bool:
        return (one.served is None) != (one.expected is None) and _text_of(evidence, one) is not None

    texts = Counter(_text_of(evidence, one) for one in evidence.different if fits(one))
    some = ", ".join(str(text) for text, _ in texts.most_common(3))
    return evidence.found(ParityCause.UNKNOWN_CATEGORY, fits, f"one of the two did not know {some}")


def _text_of(evidence: Evidence, one: Difference) -> str | None:
    """Give the text that a category column encodes, where the request holds it."""
    contract = evidence.context.package.contract
    column = next(column for column in contract.features.columns if column.name == evidence.target.name)
    if column.kind is not InputKind.FIELD:
        return None
    position = [field.name for field in contract.request.fields].index(column.origin)
    value = one.prediction.row[position]
    return value if isinstance(value, str) else None


def null_fill(evidence: Evidence) -> Found | None:
    """Where null was derived one and the same value was served."""
    filled = Counter(_filled(evidence.different))
    if not filled:
        return None
    value = filled.most_common(1)[0][0]
    return evidence.found(
        ParityCause.NULL_FILL,
        lambda one: one.expected is None and one.served == value,
        f"a missing value reached the model as {value:g}",
    )


def _filled(different: Sequence[Difference]) -> list[float]:
    return [one.served for one in different if one.expected is None and one.served is not None]
