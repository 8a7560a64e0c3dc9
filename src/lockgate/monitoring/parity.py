"""Parity: derives offline what an endpoint served, and compares (docs/spec/parity.md is the law; comments cite it).

- *Transform*: from the logged request and the logged look-ups, by the release's own closure, to the matrix row; bit for
  bit.
- *Data*: the look-ups, joined as served from snapshots at the time asked: values, event time, available time.
- *Window*: the windows, likewise; exact but for sums of floats, which have a stated tolerance.
- *Model*: score and answer, from the logged matrix row.

Each version is held to its own contract. What no snapshot covers is counted and is not equal; a line that compared
nothing is inconclusive. Nothing is decided here about what follows, and no cause is guessed: see `causes`.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockgate.features.offline import TYPES, as_served, available, encode_rows, raw_columns
from lockgate.kernel.verdicts import Verdict, worst
from lockgate.monitoring.causes import Context, reasons_of
from lockgate.monitoring.columns import compare_numbers, compare_values, series
from lockgate.monitoring.differences import Difference, RowTimes, Tally, Target, moment_of
from lockgate.monitoring.span import Span
from lockgate.packages.runtime import LoadedPackage
from lockgate.records.features import FieldKind, Lookup, LookupColumn, RequestSpec
from lockgate.records.monitoring import ParityClass, ParityLine, ParityReport
from lockgate.records.outcome import Event
from lockgate.records.prediction import Prediction
from lockgate.records.source import SourceSpec

__all__ = ["Side", "compare"]

CHUNK = 20_000
"""Predictions that are compared at once; memory does not grow beyond it with the log."""

_EVENT, _AVAILABLE, _ROW = "@event", "@available", "@row"


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A version, and what its predictions are held against."""

    # The number of its release.
    version: int
    # Its package, loaded.
    package: LoadedPackage
    # What each source that it looks up holds: of a table the snapshot that the package was made from, of a clocked one
    # the latest.
    rows: Mapping[str, tuple[SourceSpec, pl.DataFrame]]
    # Until when (asked, microseconds) each clocked source's rows cover what is asked.
    until: Mapping[str, int]


def compare(
    endpoint: str,
    predictions: Iterable[Prediction],
    sides: Mapping[bytes, Side],
    *,
    span: Span,
    classes: frozenset[ParityClass] = frozenset(ParityClass),
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
        events: gives the rows that were posted; asked only where look-ups differ.
        progress: told how many predictions were compared so far.
    """
    waiting: defaultdict[bytes, list[Prediction]] = defaultdict(list)
    versions = {digest: _Version(side, classes) for digest, side in sides.items()}
    count, left_out = 0, 0
    for one in predictions:
        if not span.holds(one.asked_at):
            continue
        count += 1
        if one.release not in versions:
            left_out += 1
            continue
        chunk = waiting[one.release]
        chunk.append(one)
        if len(chunk) >= CHUNK:
            versions[one.release].take(chunk)
            waiting[one.release] = []
            progress(count)
    for digest, chunk in waiting.items():
        versions[digest].take(chunk)
    progress(count)
    return _report(endpoint, span, count, left_out, list(versions.values()), events)


def _report(
    endpoint: str,
    span: Span,
    count: int,
    left_out: int,
    versions: Sequence["_Version"],
    events: Callable[[], Iterable[Event]],
) -> ParityReport:
    rivals = {one.side.version: one.side.package for one in versions}
    lines = tuple(line for one in versions for line in one.lines(rivals, events))
    untold = [Verdict.INCONCLUSIVE] if left_out else []
    until: dict[str, int] = {}
    for one in versions:
        for source, moment in one.side.until.items():
            until[source] = min(moment, until.get(source, moment))
    return ParityReport(
        endpoint=endpoint,
        since=None if span.since is None else moment_of(span.since),
        until=None if span.until is None else moment_of(span.until),
        predictions=count,
        covered=sum(one.covered for one in versions),
        left_out={"the release is not known here": left_out} if left_out else {},
        sources={source: moment_of(moment) for source, moment in sorted(until.items())},
        lines=lines,
        verdict=worst([*(line.verdict for line in lines), *untold]),
    )


class _Version:
    """The comparison of one version."""

    def __init__(self, side: Side, classes: frozenset[ParityClass]) -> None:
        self.side = side
        self.covered = 0
        self._classes = classes
        contract = side.package.contract
        self._request, self._features = contract.request, contract.features
        self._rows = {name: (spec, _clocked(spec, frame)) for name, (spec, frame) in side.rows.items()}
        self._tallies: dict[str, Tally] = {}
        self._seen = False

    def take(self, chunk: Sequence[Prediction]) -> None:
        """Compare a chunk."""
        if not chunk:
            return
        self._seen = True
        asked = np.array([one.asked_at for one in chunk], dtype=np.int64)
        requests = _requests(self._request, chunk)
        if ParityClass.TRANSFORM in self._classes:
            self._transform(chunk, asked, requests)
        self.covered += self._data(chunk, asked, requests)
        if ParityClass.MODEL in self._classes:
            self._model(chunk, asked)

    def lines(self, rivals: Mapping[int, LoadedPackage], events: Callable[[], Iterable[Event]]) -> Iterable[ParityLine]:
        """Give what was counted, with the causes of what differs."""
        context = Context(
            version=self.side.version, package=self.side.package, rows=self._rows, rivals=rivals, events=events
        )
        for tally in self._tallies.values():
            yield tally.line(reasons_of(tally, context) if tally.mismatched else ())

    def _tally(self, target: Target) -> Tally:
        name = f"{target.part.value} {target.column}"
        return self._tallies.setdefault(name, Tally(target))

    def _transform(self, chunk: Sequence[Prediction], asked: NDArray[np.int64], requests: pl.DataFrame) -> None:
        """Parity 2.1: the closure over what was logged, against the logged matrix row."""
        contract = self.side.package.contract
        known = pl.DataFrame(
            [
                series(f"{lookup.source}.{column.name}", [one.known[i].values[j] for one in chunk], column.type)[0]
                for i, lookup in enumerate(self._features.lookups)
                for j, column in enumerate(lookup.columns)
            ]
        )
        raw = raw_columns(requests.hstack(known), self._request, self._features)
        expected = encode_rows(raw, self._features, contract.vocabulary)
        served = _matrix(chunk, expected.shape[1])
        everywhere = np.ones(len(chunk), dtype=np.bool_)
        for number, column in enumerate(self._features.columns):
            target = Target(
                version=self.side.version,
                part=ParityClass.TRANSFORM,
                column=column.name,
                kind=column.type,
                name=column.name,
                source=column.source,
            )
            one, other = served[:, number], expected[:, number]

            def at(place: int, one: Any = one, other: Any = other) -> Difference:  # noqa: ANN401 - arrays
                return Difference(chunk[place], _plain(one[place]), _plain(other[place]))

            self._tally(target).add(asked, compare_numbers(everywhere, one, other, 0.0), at)

    def _data(self, chunk: Sequence[Prediction], asked: NDArray[np.int64], requests: pl.DataFrame) -> int:
        """Parity 2.2: the as-served join at the time asked, against the logged look-ups. Gives how many are covered."""
        covers = {
            one.source: asked <= self.side.until.get(one.source, -1) if one.clocked else np.ones(len(chunk), np.bool_)
            for one in self._features.lookups
        }
        if ParityClass.DATA in self._classes and self._features.lookups:
            timed = msgspec.structs.replace(self._features, lookups=tuple(map(_timed, self._features.lookups)))
            numbered = requests.with_columns(pl.int_range(pl.len()).alias(_ROW))
            expected = as_served(numbered, self._request, timed, self._rows, carry=(_ROW,)).sort(_ROW)
            for number, lookup in enumerate(self._features.lookups):
                self._lookup(chunk, asked, expected, number, covers[lookup.source])
        together = np.ones(len(chunk), dtype=np.bool_)
        for one in covers.values():
            together &= one
        return int(together.sum())

    def _lookup(
        self,
        chunk: Sequence[Prediction],
        asked: NDArray[np.int64],
        expected: pl.DataFrame,
        number: int,
        covered: NDArray[np.bool_],
    ) -> None:
        lookup = self._features.lookups[number]
        by = [field.name for field in self._request.fields].index(lookup.by)
        served = [one.known[number] for one in chunk]
        served_rows = [RowTimes(one.event_time, one.available_time) for one in served]
        expected_rows = _times(expected, lookup)
        columns: list[tuple[str, FieldKind | None, list[Any], pl.Series]] = [
            (one.name, one.type, [it.values[i] for it in served], expected[f"{lookup.source}.{one.name}"])
            for i, one in enumerate(lookup.columns)
        ]
        if lookup.clocked:
            columns += [
                (_EVENT, None, [one.event for one in served_rows], _micros(expected, lookup, _EVENT)),
                (_AVAILABLE, None, [one.available for one in served_rows], _micros(expected, lookup, _AVAILABLE)),
            ]
        for name, kind, values, derived in columns:
            target = Target(
                version=self.side.version,
                part=ParityClass.DATA,
                column=f"{lookup.source}.{name}",
                kind=kind,
                name=name,
                source=lookup.source,
                by=by,
            )
            wanted = derived.to_list()

            def at(place: int, values: Any = values, wanted: Any = wanted) -> Difference:  # noqa: ANN401 - lists
                return Difference(chunk[place], values[place], wanted[place], served_rows[place], expected_rows[place])

            self._tally(target).add(asked, compare_values(covered, values, derived, kind), at)

    def _model(self, chunk: Sequence[Prediction], asked: NDArray[np.int64]) -> None:
        """Parity 2.4: the model over the logged matrix row, and the threshold over the logged score."""
        package = self.side.package
        everywhere = np.ones(len(chunk), dtype=np.bool_)
        tolerance = package.reference_result["tolerance"]
        scores = package.score(_matrix(chunk, len(self._features.columns)))
        served = np.array([one.score for one in chunk], dtype=np.float64)
        target = Target(
            version=self.side.version,
            part=ParityClass.MODEL,
            column="score",
            kind=FieldKind.FLOAT,
            tolerance=tolerance,
            name="score",
        )
        self._tally(target).add(
            asked,
            compare_numbers(everywhere, served, scores, tolerance),
            lambda place: Difference(chunk[place], float(served[place]), float(scores[place])),
        )
        kind = FieldKind.BOOL if package.contract.task == "binary" else FieldKind.FLOAT
        target = Target(version=self.side.version, part=ParityClass.MODEL, column="answer", kind=kind, name="answer")
        answers = [one.value for one in chunk]
        derived = [package.answer(one.score) for one in chunk]
        self._tally(target).add(
            asked,
            compare_values(everywhere, answers, pl.Series(derived, dtype=TYPES[kind]), kind),
            lambda place: Difference(chunk[place], answers[place], derived[place]),
        )


def _clocked(spec: SourceSpec, frame: pl.DataFrame) -> pl.DataFrame:
    """Put a row's times beside its columns, under names that no column of a user's has."""
    if not spec.clocked:
        return frame
    kind = TYPES[FieldKind.TIME]
    return frame.with_columns(
        pl.col(spec.event_time or "").cast(kind).alias(_EVENT), available(spec).cast(kind).alias(_AVAILABLE)
    )


def _timed(lookup: Lookup) -> Lookup:
    """Look up a row's times like any column of it: they then go through the very same join."""
    if not lookup.clocked:
        return lookup
    times = tuple(LookupColumn(name=name, type=FieldKind.TIME) for name in (_EVENT, _AVAILABLE))
    return msgspec.structs.replace(lookup, columns=lookup.columns + times)


def _requests(request: RequestSpec, chunk: Sequence[Prediction]) -> pl.DataFrame:
    """Give the logged requests as history keeps them."""
    return pl.DataFrame(
        [
            series(field.name, [one.row[position] for one in chunk], field.kind)[0]
            for position, field in enumerate(request.fields)
        ]
    )


def _matrix(chunk: Sequence[Prediction], width: int) -> NDArray[np.float64]:
    return np.array([one.x for one in chunk], dtype=np.float64).reshape(len(chunk), width)


def _times(expected: pl.DataFrame, lookup: Lookup) -> list[RowTimes]:
    if not lookup.clocked:
        return [RowTimes()] * expected.height
    both = (_micros(expected, lookup, name).to_list() for name in (_EVENT, _AVAILABLE))
    return [RowTimes(event, known) for event, known in zip(*both, strict=True)]


def _micros(expected: pl.DataFrame, lookup: Lookup, name: str) -> pl.Series:
    return expected[f"{lookup.source}.{name}"].dt.timestamp("us")


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
