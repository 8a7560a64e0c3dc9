"""Hypotheses on windows: which rows counted offline, and whether each had been told when the question was asked."""

from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from lockgate.monitoring.differences import Difference
from lockgate.monitoring.evidence import Evidence, Found, HistoryRow
from lockgate.records.features import Aggregate, Window, WindowColumn
from lockgate.records.monitoring import ParityCause

__all__ = ["late", "stale"]


def late(evidence: Evidence) -> Found | None:
    """Rows that count were told after the question, or never; a count lacks as many as these."""
    untold = _untold(evidence)
    column = _column(evidence)[1]

    def fits(one: Difference) -> bool:
        missing = untold(one)
        if column.aggregate is Aggregate.COUNT and one.served is not None and one.expected is not None:
            return bool(missing) and one.expected - one.served == missing
        return missing > 0

    return evidence.found(ParityCause.LATE, fits, "rows that count were told after the question, or never")


def stale(evidence: Evidence) -> Found | None:
    """Every row that counts had been told, and fewer counted."""
    untold = _untold(evidence)
    column = _column(evidence)[1]
    if column.aggregate is not Aggregate.COUNT:
        return None
    return evidence.found(
        ParityCause.STALE,
        lambda one: one.served is not None and one.served < one.expected and untold(one) == 0,
        "fewer rows counted than had been told: the store was behind",
    )


def _column(evidence: Evidence) -> tuple[Window, WindowColumn]:
    windows = evidence.context.package.contract.features.windows
    window = next(one for one in windows if one.name == evidence.target.source)
    return window, next(one for one in window.columns if one.name == evidence.target.name)


def _untold(evidence: Evidence) -> Callable[[Difference], int]:
    """Give a function that counts the rows of a window that had not been told when it was asked."""
    window, column = _column(evidence)
    context, source = evidence.context, window.source
    groups = {one.prediction.row[evidence.target.by] for one in evidence.different}
    asked_at = [one.prediction.asked_at for one in evidence.different]
    span = round(column.span.total_seconds() * 1_000_000)
    history = context.history(source, groups, window.by, (min(asked_at) - span, max(asked_at)))
    key = context.key_of(source)
    told = context.told(source, {row.values[key] for rows in history.values() for row in rows})

    def is_told(row: HistoryRow, one: Difference) -> bool:
        entity: Any = row.values[key]
        if (source, entity, row.event) in context.seeds:
            return True
        return any(
            event.event_time == row.event and event.received_at <= one.prediction.received_at
            for event in told.get(entity, ())
        )

    def untold(one: Difference) -> int:
        asked = one.prediction.asked_at
        rows = history.get(one.prediction.row[evidence.target.by], ())
        first, last = (bisect_right(rows, moment, key=_happened) for moment in (asked - span, asked))
        return sum(_is_available(row, asked) and not is_told(row, one) for row in rows[first:last])

    return untold


def _happened(row: HistoryRow) -> int:
    return row.event or 0


def _is_available(row: HistoryRow, asked: int) -> bool:
    return row.available is not None and row.available <= asked
