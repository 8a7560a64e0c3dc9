"""Parity: derives offline what an endpoint served, and compares (docs/spec/parity.md is the law; comments cite it).

- *Transform*: from the logged request and the logged look-ups, by the release's own closure, to the matrix row; bit for
  bit.
- *Data*: the look-ups, joined as served from snapshots at the time asked: values, event time, available time.
- *Window*: the windows, likewise; exact but for sums of floats, which have a stated tolerance.
- *Model*: score and answer, from the logged matrix row.

Each version is held to its own contract. What no snapshot covers is counted and is not equal; a line that compared
nothing is inconclusive. Nothing is decided here about what follows, and no cause is guessed: see `causes`.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from lockgate.kernel.verdicts import Verdict, worst
from lockgate.monitoring.deriving import Comparison, Side
from lockgate.monitoring.differences import moment_of
from lockgate.monitoring.span import Span
from lockgate.records.monitoring import ParityClass, ParityReport
from lockgate.records.outcome import Event
from lockgate.records.prediction import Prediction

__all__ = ["Side", "compare"]

CHUNK = 20_000
"""Predictions that are compared at once; memory does not grow beyond it with the log."""


def compare(
    endpoint: str,
    predictions: Iterable[Prediction],
    sides: Mapping[bytes, Side],
    *,
    span: Span,
    classes: frozenset[ParityClass] = frozenset(ParityClass),
    left_out: Mapping[bytes, str] = MappingProxyType({}),
    events: Callable[[], Iterable[Event]] = tuple,
    progress: Callable[[int], None] = lambda _: None,
) -> ParityReport:
    """Compare what was served with what is derived again.

    Args:
        endpoint: its name.
        predictions: of its log; read once.
        sides: by release, what its predictions are held against.
        span: which predictions are meant.
        classes: what to derive.
        left_out: why other releases could not be opened.
        events: gives the rows that were posted; asked only where look-ups differ.
        progress: told how many predictions were read so far.
    """
    waiting: defaultdict[bytes, list[Prediction]] = defaultdict(list)
    comparisons = {digest: Comparison(side, classes) for digest, side in sides.items()}
    missing: Counter[str] = Counter()
    meant = 0
    for place, one in enumerate(predictions):
        if place % CHUNK == 0:
            progress(place)
        if not span.holds(one.asked_at):
            continue
        meant += 1
        if one.release not in comparisons:
            missing[left_out.get(one.release, "its release is not known here")] += 1
            continue
        waiting[one.release].append(one)
        if len(waiting[one.release]) >= CHUNK:
            comparisons[one.release].take(waiting.pop(one.release))
    for digest, chunk in waiting.items():
        comparisons[digest].take(chunk)
    return _report(endpoint, span, meant, missing, list(comparisons.values()), events)


def _report(
    endpoint: str,
    span: Span,
    meant: int,
    missing: Mapping[str, int],
    comparisons: Sequence[Comparison],
    events: Callable[[], Iterable[Event]],
) -> ParityReport:
    rivals = {one.side.version: one.side.package for one in comparisons}
    lines = tuple(line for one in comparisons for line in one.lines(rivals, events))
    until: dict[str, int] = {}
    for one in comparisons:
        until |= {source: min(moment, until.get(source, moment)) for source, moment in one.side.until.items()}
    return ParityReport(
        endpoint=endpoint,
        since=None if span.since is None else moment_of(span.since),
        until=None if span.until is None else moment_of(span.until),
        predictions=meant,
        covered=sum(one.covered for one in comparisons),
        left_out=dict(missing),
        sources={source: moment_of(moment) for source, moment in sorted(until.items())},
        lines=lines,
        verdict=worst([*(line.verdict for line in lines), *(Verdict.INCONCLUSIVE for _ in missing)]),
    )
