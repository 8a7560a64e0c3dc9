"""Derives again what one version served, chunk by chunk, and counts what is equal (docs/spec/parity.md, 2)."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockgate.features.matrix import known_columns
from lockgate.features.offline import TYPES, as_served, available, encode_rows, raw_columns
from lockgate.monitoring.causes import Context, reasons_of
from lockgate.monitoring.columns import compare_numbers, compare_values, series
from lockgate.monitoring.differences import Compared, Difference, RowTimes, Tally, Target
from lockgate.packages.runtime import LoadedPackage
from lockgate.records.features import (
    Aggregate,
    FeatureSet,
    FieldKind,
    Lookup,
    LookupColumn,
    RequestSpec,
    Window,
    WindowColumn,
)
from lockgate.records.monitoring import ParityClass, ParityLine
from lockgate.records.outcome import Event
from lockgate.records.prediction import Known, Prediction
from lockgate.records.source import SourceSpec

__all__ = ["WINDOW_TOLERANCE", "Comparison", "Side"]

WINDOW_TOLERANCE = 1e-9
"""How far aggregates of floats may be apart, as a share of their size (`_SIZE_OF`)."""

_EVENT, _AVAILABLE, _ROW, _SIZE = "@event", "@available", "@row", "@size"
_SIZE_OF = {Aggregate.SUM: Aggregate.SUM, Aggregate.MEAN: Aggregate.MEAN, Aggregate.STD: Aggregate.MAX}
"""What is made of the magnitudes, for the size of an aggregate of floats as they are."""

_LOST = 1e-150
"""Deviations below this may be lost: their squares are no floats."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """A version, and what its predictions are held against."""

    # The number of its release.
    version: int
    # Its package, loaded.
    package: LoadedPackage
    # The rows that travelled with it: (source, key, event time in microseconds).
    seeds: frozenset[tuple[str, Any, int]] = frozenset()
    # What each source that it looks up holds: of a table the snapshot that the package was made from, of a clocked one
    # the latest.
    rows: Mapping[str, tuple[SourceSpec, pl.DataFrame]]
    # Until when (asked, microseconds) each clocked source's rows cover what is asked.
    until: Mapping[str, int]


class _Chunk:
    """Some predictions of one version, and what was asked as history keeps it."""

    def __init__(self, request: RequestSpec, predictions: Sequence[Prediction]) -> None:
        self.predictions = predictions
        self.asked = np.array([one.asked_at for one in predictions], dtype=np.int64)
        self.everywhere = np.ones(len(predictions), dtype=np.bool_)
        self.requests = pl.DataFrame(
            [
                series(field.name, [one.row[position] for one in predictions], field.kind)[0]
                for position, field in enumerate(request.fields)
            ]
        )

    def matrix(self, width: int) -> NDArray[np.float64]:
        """Give the logged matrix rows."""
        return np.array([one.x for one in self.predictions], dtype=np.float64).reshape(len(self.predictions), width)


class Comparison:
    """The comparison of one version.

    Args:
        side: the version.
        classes: what to derive.
    """

    def __init__(self, side: Side, classes: frozenset[ParityClass]) -> None:
        """Compare nothing yet."""
        self.side = side
        self.covered = 0
        self._classes = classes
        contract = side.package.contract
        self._request, self._features = contract.request, contract.features
        self._positions = {field.name: place for place, field in enumerate(self._request.fields)}
        self._rows = {name: (spec, _clocked(spec, frame)) for name, (spec, frame) in side.rows.items()}
        self._sized = _sized(self._features)
        self._rows |= {
            one.source: (self._rows[one.source][0], _with_sizes(self._rows[one.source][1], self._sized.windows))
            for one in self._sized.windows
        }
        self._tallies: dict[tuple[ParityClass, str], Tally] = {}

    def take(self, predictions: Sequence[Prediction]) -> None:
        """Compare a chunk."""
        if not predictions:
            return
        chunk = _Chunk(self._request, predictions)
        covers = self._covers(chunk)
        self.covered += int(np.logical_and.reduce([chunk.everywhere, *covers.values()]).sum())
        if ParityClass.TRANSFORM in self._classes:
            self._transform(chunk)
        if self._classes & {ParityClass.DATA, ParityClass.WINDOW}:
            self._look(chunk, covers)
        if ParityClass.MODEL in self._classes:
            self._model(chunk)

    def lines(self, rivals: Mapping[int, LoadedPackage], events: Callable[[], Iterable[Event]]) -> Iterable[ParityLine]:
        """Give what was counted, with the causes of what differs."""
        side = self.side
        context = Context(
            version=side.version,
            package=side.package,
            seeds=side.seeds,
            rows=self._rows,
            rivals=rivals,
            events=events,
        )
        for tally in self._tallies.values():
            yield tally.line(reasons_of(tally, context) if tally.mismatched else ())

    def _covers(self, chunk: _Chunk) -> dict[str, NDArray[np.bool_]]:
        """Tell for each source which questions it covers; a table is pinned, and covers all."""
        clocked = {one.source for one in self._features.lookups if one.clocked}
        clocked |= {one.source for one in self._features.windows}
        return {source: chunk.asked <= self.side.until.get(source, -1) for source in clocked}

    def _count(self, chunk: _Chunk, target: Target, found: Compared, at: Callable[[int], Difference]) -> None:
        self._tallies.setdefault((target.part, target.column), Tally(target)).add(chunk.asked, found, at)

    def _target(self, part: ParityClass, column: str, kind: FieldKind | None, **more: Any) -> Target:  # noqa: ANN401 - fields of a target
        return Target(version=self.side.version, part=part, column=column, kind=kind, **more)

    def _transform(self, chunk: _Chunk) -> None:
        """Parity 2.1: the closure over what was logged, against the logged matrix row."""
        logged = chunk.requests.hstack(_logged(self._features, chunk.predictions))
        raw = raw_columns(logged, self._request, self._features)
        expected = encode_rows(raw, self._features, self.side.package.contract.vocabulary)
        served = chunk.matrix(len(self._features.columns))
        for place, column in enumerate(self._features.columns):
            target = self._target(
                ParityClass.TRANSFORM, column.name, column.type, name=column.name, source=column.source
            )
            found = compare_numbers(chunk.everywhere, served[:, place], expected[:, place], np.zeros(1))
            self._count(chunk, target, found, _at(chunk, _plain(served[:, place]), _plain(expected[:, place])))

    def _look(self, chunk: _Chunk, covers: Mapping[str, NDArray[np.bool_]]) -> None:
        """Parity 2.2 and 2.3: the as-served join at the time asked, against the logged look-ups and windows."""
        if not self._features.lookups and not self._features.windows:
            return
        numbered = chunk.requests.with_columns(pl.int_range(pl.len()).alias(_ROW))
        expected = as_served(numbered, self._request, self._sized, self._rows, carry=(_ROW,)).sort(_ROW)
        if ParityClass.DATA in self._classes:
            for place, lookup in enumerate(self._features.lookups):
                covered = covers.get(lookup.source, chunk.everywhere)
                self._lookup(chunk, expected, lookup, [one.known[place] for one in chunk.predictions], covered)
        if ParityClass.WINDOW in self._classes:
            for place, window in enumerate(self._features.windows, len(self._features.lookups)):
                covered = covers[window.source]
                self._window(chunk, expected, window, [one.known[place] for one in chunk.predictions], covered)

    def _lookup(
        self,
        chunk: _Chunk,
        expected: pl.DataFrame,
        lookup: Lookup,
        known: Sequence[Known],
        covered: NDArray[np.bool_],
    ) -> None:
        served_rows = [RowTimes(one.event_time, one.available_time) for one in known]
        expected_rows = _times(expected, lookup)
        columns: list[tuple[str, FieldKind | None, list[Any], pl.Series]] = [
            (one.name, one.type, [it.values[place] for it in known], expected[f"{lookup.source}.{one.name}"])
            for place, one in enumerate(lookup.columns)
        ]
        if lookup.clocked:
            columns += [
                (_EVENT, None, [one.event for one in served_rows], _micros(expected, lookup, _EVENT)),
                (_AVAILABLE, None, [one.available for one in served_rows], _micros(expected, lookup, _AVAILABLE)),
            ]
        for name, kind, served, derived in columns:
            target = self._target(
                ParityClass.DATA,
                f"{lookup.source}.{name}",
                kind,
                name=name,
                source=lookup.source,
                by=self._positions[lookup.by],
            )
            at = _at(chunk, served, derived.to_list(), served_rows, expected_rows)
            self._count(chunk, target, compare_values(covered, served, derived, kind), at)

    def _window(
        self,
        chunk: _Chunk,
        expected: pl.DataFrame,
        window: Window,
        known: Sequence[Known],
        covered: NDArray[np.bool_],
    ) -> None:
        for place, column in enumerate(window.columns):
            served, derived = [one.values[place] for one in known], expected[f"{window.name}.{column.name}"]
            allowed = np.zeros(1)
            if _is_inexact(window, column):
                sizes = expected[f"{window.name}{_SIZE}.{column.name}"].fill_null(0.0).to_numpy()
                allowed = np.maximum(WINDOW_TOLERANCE * sizes, _LOST if column.aggregate is Aggregate.STD else 0.0)
            target = self._target(
                ParityClass.WINDOW,
                column.name,
                column.type,
                tolerance=WINDOW_TOLERANCE if _is_inexact(window, column) else 0.0,
                name=column.name,
                source=window.name,
                by=self._positions[window.by],
            )
            rows = [RowTimes(one.event_time, one.available_time) for one in known]
            at = _at(chunk, served, derived.to_list(), rows)
            self._count(chunk, target, compare_values(covered, served, derived, column.type, allowed), at)

    def _model(self, chunk: _Chunk) -> None:
        """Parity 2.4: the model over the logged matrix row, and the threshold over the logged score."""
        package = self.side.package
        tolerance = package.reference_result["tolerance"]
        scores = package.score(chunk.matrix(len(self._features.columns)))
        served = np.array([one.score for one in chunk.predictions], dtype=np.float64)
        target = self._target(ParityClass.MODEL, "score", FieldKind.FLOAT, tolerance=tolerance, name="score")
        found = compare_numbers(chunk.everywhere, served, scores, np.full(1, tolerance))
        self._count(chunk, target, found, _at(chunk, served.tolist(), scores.tolist()))
        kind = FieldKind.BOOL if package.contract.task == "binary" else FieldKind.FLOAT
        answers = [one.value for one in chunk.predictions]
        derived = [package.answer(one.score) for one in chunk.predictions]
        answer = compare_values(chunk.everywhere, answers, pl.Series(derived, dtype=TYPES[kind]), kind)
        target = self._target(ParityClass.MODEL, "answer", kind, name="answer")
        self._count(chunk, target, answer, _at(chunk, answers, derived))


def _at(
    chunk: _Chunk,
    served: Sequence[Any],
    expected: Sequence[Any],
    served_rows: Sequence[RowTimes] = (),
    expected_rows: Sequence[RowTimes] = (),
) -> Callable[[int], Difference]:
    """Give a function that gives what stands at a place of a chunk."""

    def at(place: int) -> Difference:
        times = (rows[place] if rows else RowTimes() for rows in (served_rows, expected_rows))
        return Difference(chunk.predictions[place], served[place], expected[place], *times)

    return at


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


def _logged(features: FeatureSet, chunk: Sequence[Prediction]) -> pl.DataFrame:
    """Give what was looked up and aggregated, as history keeps it."""
    types = [[column.type for column in one.columns] for one in features.lookups]
    types += [[column.type for column in one.columns] for one in features.windows]
    return pl.DataFrame(
        [
            series(name, [one.known[i].values[j] for one in chunk], types[i][j])[0]
            for i, names in enumerate(known_columns(features))
            for j, name in enumerate(names)
        ]
    )


def _times(expected: pl.DataFrame, lookup: Lookup) -> list[RowTimes]:
    if not lookup.clocked:
        return [RowTimes()] * expected.height
    both = (_micros(expected, lookup, name).to_list() for name in (_EVENT, _AVAILABLE))
    return [RowTimes(event, known) for event, known in zip(*both, strict=True)]


def _micros(expected: pl.DataFrame, lookup: Lookup, name: str) -> pl.Series:
    return expected[f"{lookup.source}.{name}"].dt.timestamp("us")


def _plain(values: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(value) else value for value in values.tolist()]


def _is_inexact(window: Window, column: WindowColumn) -> bool:
    """Tell whether a column is made of sums of floats as they are."""
    return column.aggregate in _SIZE_OF and window.value_type is FieldKind.FLOAT and window.scale is None


def _sized(features: FeatureSet) -> FeatureSet:
    """Look up a row's times as well, and aggregate the magnitudes of floats: by the very same join."""
    sizes = []
    for window in features.windows:
        columns = [
            msgspec.structs.replace(column, aggregate=_SIZE_OF[column.aggregate])
            for column in window.columns
            if _is_inexact(window, column)
        ]
        if columns:
            name, value = f"{window.name}{_SIZE}", f"{window.value}{_SIZE}"
            sizes.append(msgspec.structs.replace(window, name=name, value=value, columns=tuple(columns)))
    return msgspec.structs.replace(
        features, lookups=tuple(map(_timed, features.lookups)), windows=(*features.windows, *sizes)
    )


def _with_sizes(frame: pl.DataFrame, windows: Sequence[Window]) -> pl.DataFrame:
    values = {one.value.removesuffix(_SIZE) for one in windows if one.value is not None and one.value.endswith(_SIZE)}
    return frame.with_columns(
        pl.col(value).cast(pl.Float64).abs().alias(f"{value}{_SIZE}") for value in sorted(values & {*frame.columns})
    )
