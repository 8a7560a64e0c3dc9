"""Hypotheses on look-ups: which row was served, which one was known, and when it was told.

A row that was posted carries when it was received, by the same clock as a prediction does; so whether it was told
before the question is read off, also at an endpoint that replays.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

from lockgate.monitoring.differences import Difference
from lockgate.monitoring.evidence import Evidence, Found, HistoryRow
from lockgate.records.monitoring import ParityCause
from lockgate.records.outcome import Event
from lockgate.records.prediction import Known

__all__ = ["correction", "default", "key_case", "late", "stale", "time_zone"]

T = TypeVar("T", HistoryRow, Event)

_MINUTE = 60_000_000
_QUARTER = 15 * _MINUTE
_WIDEST = 14 * 60 * _MINUTE
_SEVERAL = 3

_FORMS: dict[str, Callable[[str], str]] = {
    "in lower case": str.lower,
    "in capitals": str.upper,
    "without the space around it": str.strip,
    "without leading zeros": lambda key: key.lstrip("0"),
}


def _key(evidence: Evidence, one: Difference) -> Any:  # noqa: ANN401 - a key
    return one.prediction.row[evidence.target.by]


def _keys(evidence: Evidence) -> set[Any]:
    return {_key(evidence, one) for one in evidence.different}


def _known(evidence: Evidence, one: Difference) -> Known:
    return next(known for known in one.prediction.known if known.source == evidence.target.source)


def _told(evidence: Evidence) -> Callable[[Difference], bool | None]:
    """Give a function that tells whether a difference's expected row was told before the question; None for never."""
    package, source = evidence.context.package, evidence.target.source
    events = evidence.context.told(source, _keys(evidence))
    table = package.tables.get(source, {})

    def told(one: Difference) -> bool | None:
        key, event = _key(evidence, one), one.expected_row.event
        if event is None:
            return key in table or None
        if (source, key, event) in evidence.context.seeds:
            return True
        received = [row.received_at for row in events.get(key, ()) if row.event_time == event]
        return min(received) <= one.prediction.received_at if received else None

    return told


def key_case(evidence: Evidence) -> Found | None:
    """The row was there under the key as asked, and was not found; every key that was found has no other form."""
    told = _told(evidence)
    lost = [one for one in evidence.different if _found_nothing(evidence, one) and told(one)]
    best: Found | None = None
    for name, form in _FORMS.items():
        if any(_changes(form, _key(evidence, one)) for one in evidence.equal):
            continue
        ids = {id(one) for one in lost if _changes(form, _key(evidence, one))}
        note = f"the row was there, and was not found: as if its key were looked up {name}"
        found = evidence.found(ParityCause.KEY_CASE, _among(ids), note)
        if found is not None and (best is None or len(found.explains) > len(best.explains)):
            best = found
    return best


def _among(ids: set[int]) -> Callable[[Difference], bool]:
    return lambda one: id(one) in ids


def _found_nothing(evidence: Evidence, one: Difference) -> bool:
    known = _known(evidence, one)
    return known.event_time is None and all(value is None for value in known.values)


def _changes(form: Callable[[str], str], key: Any) -> bool:  # noqa: ANN401 - a key
    return isinstance(key, str) and form(key) != key


def late(evidence: Evidence) -> Found | None:
    """The row that was known by then was told after the question, or never."""
    told = _told(evidence)
    states = {id(one): told(one) for one in evidence.different if one.expected_row != one.served_row}
    never = sum(state is None for state in states.values())
    later = sum(state is False for state in states.values())
    return evidence.found(
        ParityCause.LATE,
        lambda one: states.get(id(one), True) is not True and one.expected_row.event is not None,
        f"rows were available, but told after the question ({later}) or never ({never})",
    )


def stale(evidence: Evidence) -> Found | None:
    """An older row was served, though a newer one was available and had been told."""
    told = _told(evidence)
    ages = [
        (one.expected_row.event - one.served_row.event) / _MINUTE
        for one in evidence.different
        if _older(one) and one.expected_row.event is not None and one.served_row.event is not None
    ]
    oldest = max(ages, default=0.0)
    return evidence.found(
        ParityCause.STALE,
        lambda one: _too_old(evidence, one) or (_older(one) and told(one) is True),
        f"an older row was served though a newer one had been told, by up to {oldest:,.0f} minutes",
    )


def _older(one: Difference) -> bool:
    served, expected = one.served_row.event, one.expected_row.event
    return served is not None and expected is not None and served < expected


def _too_old(evidence: Evidence, one: Difference) -> bool:
    """Tell whether the served row was older than the look-up allows."""
    lookups = evidence.context.package.contract.features.lookups
    span = next(look.stale_after for look in lookups if look.source == evidence.target.source)
    if span is None or one.served_row.event is None or one.expected_row.event is not None:
        return False
    return one.prediction.asked_at - one.served_row.event > span.total_seconds() * 1_000_000


def correction(evidence: Evidence) -> Found | None:
    """Another version of the same row was served: the snapshot has it corrected, or filled in later."""
    keys = _keys(evidence)
    history = evidence.context.history(evidence.target.source, keys)
    events = evidence.context.told(evidence.target.source, keys)

    def fits(one: Difference) -> bool:
        key, row = _key(evidence, one), one.served_row
        if row.event is None:
            return False
        versions = [
            past
            for past in history.get(key, ())
            if past.event == row.event and past.available != one.expected_row.available
        ]
        if any(_holds(past, evidence, one) for past in versions):
            return True
        return any(event.event_time == row.event and _says(event, evidence, one) for event in events.get(key, ()))

    return evidence.found(
        ParityCause.CORRECTION, fits, "what was served is what had been told of this row; the snapshot has it otherwise"
    )


def _holds(past: HistoryRow, evidence: Evidence, one: Difference) -> bool:
    if evidence.target.kind is None:
        return one.served in {past.event, past.available}
    return bool(past.values.get(evidence.target.name) == one.served)


def _says(event: Event, evidence: Evidence, one: Difference) -> bool:
    if evidence.target.kind is None:
        return one.served in {event.event_time, event.available_time}
    return bool(event.values.get(evidence.target.name) == one.served)


def time_zone(evidence: Evidence) -> Found | None:
    """Rows were told with their times in another zone: one shift finds every served row in the snapshot.

    Where nothing was served, as the row was told to be too old, one shift finds the right row among those told.
    """
    keys = _keys(evidence)
    history = evidence.context.history(evidence.target.source, keys)
    told = evidence.context.told(evidence.target.source, keys)
    posted = {key: sorted(events, key=attrgetter("event_time")) for key, events in told.items()}
    shifts: Counter[int] = Counter()
    possible: dict[int, set[int]] = {}
    for one in evidence.different:
        key = _key(evidence, one)
        found = _shifts(history.get(key, ()), evidence, one) or _told_shifts(
            history.get(key, ()), posted.get(key, ()), evidence, one
        )
        possible[id(one)] = found
        # A row that is there as it stands chooses no shift; nor does it speak against one, where two rows are alike.
        shifts.update(set() if 0 in found else found)
    if max(shifts.values(), default=0) < _SEVERAL:
        return None
    shift = max(shifts, key=lambda one: (shifts[one], -abs(one)))
    return evidence.found(
        ParityCause.TIME_ZONE,
        lambda one: shift in possible[id(one)],
        f"rows were told to have happened {shift / _MINUTE / 60:+g} hours from when they did",
        at_least=_SEVERAL,
    )


def _shifts(rows: Sequence[HistoryRow], evidence: Evidence, one: Difference) -> set[int]:
    """Give the shifts by which the served row is one of the snapshot's; 0 where it is one as it stands."""
    known, names = _known(evidence, one), _names(evidence)
    if known.event_time is None or all(value is None for value in known.values):
        return set()
    values = dict(zip(names, known.values, strict=True))
    near = _around(rows, known.event_time, lambda row: row.event or 0)
    return _plausible({known.event_time - row.event for row in near if row.event and _alike(values, row.values)})


def _told_shifts(rows: Sequence[HistoryRow], events: Sequence[Event], evidence: Evidence, one: Difference) -> set[int]:
    """Give the shifts by which the row that was known is one that had been told; 0 where it is one as it stands."""
    moment, names = one.expected_row.event, _names(evidence)
    if moment is None or not _found_nothing(evidence, one):
        return set()
    wanted = [{name: row.values.get(name) for name in names} for row in rows if row.event == moment]
    near = _around(events, moment, lambda event: event.event_time)
    ready = [event for event in near if event.received_at <= one.prediction.received_at]
    return _plausible(
        {event.event_time - moment for event in ready for values in wanted if _alike(values, event.values)}
    )


def _around(found: Sequence[T], moment: int, when: Callable[[T], int]) -> Sequence[T]:
    first = bisect_left(found, moment - _WIDEST, key=when)
    return found[first : bisect_right(found, moment + _WIDEST, key=when)]


def _plausible(shifts: set[int]) -> set[int]:
    return {shift for shift in shifts if shift % _QUARTER == 0}


def _names(evidence: Evidence) -> list[str]:
    lookups = evidence.context.package.contract.features.lookups
    return [column.name for look in lookups if look.source == evidence.target.source for column in look.columns]


def _alike(values: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    return all(others.get(name) == value for name, value in values.items())


def default(evidence: Evidence) -> Found | None:
    """Where nothing is found one and the same value was served."""

    def is_filled(one: Difference) -> bool:
        return one.expected is None and one.served is not None and one.expected_row.event is None

    filled = Counter(one.served for one in evidence.different if is_filled(one))
    if not filled:
        return None
    value = filled.most_common(1)[0][0]
    return evidence.found(
        ParityCause.DEFAULT,
        lambda one: is_filled(one) and one.served == value,
        f"a look-up that finds nothing gave {value!r}",
    )
