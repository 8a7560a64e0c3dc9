"""Makes a training set: past requests, joined with what was known when each was asked, and what came of them.

- What is used was known by the set's clock: the latest available time in its snapshots.
- A request is used once its outcome is final (`final_after` after being asked); younger ones would teach that whatever
  is reported fast is all there is.
- The last part by time asked is the test. Rows whose outcome was not final, or not told, when the test begins are left
  out: a model of that day could not have learnt them.
- What is left out is counted, by reason.
"""

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import polars as pl

from lockgate.features.known import declared, held
from lockgate.features.offline import TYPES, as_served, available, encode_rows, raw_columns, vocabulary_of
from lockgate.kernel.canonical import Digest, digest_of
from lockgate.kernel.closure import ERRORS_THAT_MEAN_NULL, open_closed
from lockgate.kernel.errors import Invalid
from lockgate.records.check import Stage
from lockgate.records.features import FeatureSet, FieldKind, OutcomeSpec, RequestSpec, TrainingSet
from lockgate.records.source import SourceSpec

__all__ = ["OUTCOME", "Rows", "Watch", "assemble", "known_until"]

OUTCOME = "@outcome"
"""The column of a training set that holds the outcome, as a float64."""

_TOLD = "@told"

Rows = Mapping[str, tuple[SourceSpec, pl.DataFrame]]
"""For each source its declaration and rows."""


class Watch(Protocol):
    """Sees the rows that come out of each stage."""

    def __call__(
        self,
        stage: Stage,
        frame: pl.DataFrame,
        *,
        rows_in: int,
        rows_out: int | None = None,
        left_out: Mapping[str, int] | None = None,
    ) -> None:
        """Look at the rows of a stage; what was left out is counted by reason."""


def assemble(  # noqa: PLR0913 - a training set is made of these
    *,
    request: RequestSpec,
    features: FeatureSet,
    outcome: OutcomeSpec,
    test: timedelta,
    rows: Rows,
    snapshots: dict[str, Digest],
    folder: Path,
    write: Callable[[pl.DataFrame, Path], Any],
    watch: Watch,
    progress: Callable[[float], None],
    processes: int = 1,
) -> TrainingSet:
    """Make a training set and write its rows to `train.parquet` and `test.parquet` in a folder.

    `watch` sees each stage.

    Raises:
        Invalid: nothing is left to learn from, or to be tested on.
        Failed: one of several processes died.
    """
    known = known_until(rows)
    end = known - outcome.final_after
    test_from = end - test
    left_out: dict[str, int] = {}
    told = _with_outcomes(request, outcome, rows, end, left_out)
    final, named = told.height + left_out["never got an outcome"], {OUTCOME: outcome.name}
    watch(Stage.LABELLED, told.rename(named), rows_in=final, left_out=left_out)
    frame = as_served(told, request, features, rows, carry=(OUTCOME, _TOLD))
    watch(Stage.JOINED, frame.drop(_TOLD).rename(named), rows_in=told.height)
    raw = raw_columns(frame, request, features, progress, processes=processes)
    asked = frame[request.asked_at]
    is_test = (asked >= test_from).to_list()
    is_train = ((asked + outcome.final_after <= test_from) & (frame[_TOLD] <= test_from)).to_list()
    frame = frame.drop(_TOLD)
    vocabulary = vocabulary_of(raw.filter(pl.Series(is_train, dtype=pl.Boolean)), features)
    matrix = encode_rows(raw, features, vocabulary)
    frame = frame.with_columns(pl.Series(f"@{column.name}", matrix[:, i]) for i, column in enumerate(features.columns))
    left_out["not final when the test begins"] = frame.height - sum(is_test) - sum(is_train)
    train, tested = (frame.filter(pl.Series(used, dtype=pl.Boolean)) for used in (is_train, is_test))
    _watch_parts(watch, features, {Stage.TRAIN: train, Stage.TEST: tested}, named, frame.height)
    _check_enough(train, tested, test_from)
    return TrainingSet(
        snapshots=snapshots,
        features=digest_of(features),
        outcome=digest_of(outcome),
        known_until=known,
        test_from=test_from,
        first_asked=frame.select(pl.min(request.asked_at)).item(),
        last_asked=frame.select(pl.max(request.asked_at)).item(),
        train_rows=train.height,
        test_rows=tested.height,
        left_out=left_out,
        train_files=(write(train, folder / "train.parquet"),),
        test_files=(write(tested, folder / "test.parquet"),),
        vocabulary=vocabulary,
    )


def _watch_parts(
    watch: Watch, features: FeatureSet, parts: Mapping[Stage, pl.DataFrame], named: dict[str, str], rows_in: int
) -> None:
    """Show training and test rows, then the matrix of the training rows."""
    matrix = {f"@{column.name}": column.name for column in features.columns}
    out = sum(part.height for part in parts.values())
    left_out = {"not final when the test begins": rows_in - out}
    for stage, part in parts.items():
        watch(stage, part.drop(*matrix).rename(named), rows_in=rows_in, rows_out=out, left_out=left_out)
    train = parts[Stage.TRAIN]
    watch(Stage.MATRIX, train.select(*matrix).rename(matrix), rows_in=train.height)


def known_until(rows: Rows) -> datetime:
    """Give when the snapshots end: the latest moment at which something in them became known, by what rows declare.

    A row that was backfilled counts from the reading that first has it, which may be long after all the others.

    Raises:
        Invalid: nothing is in them.
    """
    latest = [
        frame.filter(available(spec) == declared(spec)).select(available(spec).max()).item()
        for spec, frame in rows.values()
        if spec.clocked
    ]
    moments = [moment for moment in latest if moment is not None]
    if not moments:
        msg = "Nothing is known: every source with a clock is empty"
        raise Invalid(msg, expected="rows", found="none")
    found: datetime = max(moments)
    return found


def _with_outcomes(
    request: RequestSpec, outcome: OutcomeSpec, rows: Rows, end: datetime, left_out: dict[str, int]
) -> pl.DataFrame:
    """Give the requests whose outcome is final and known, with it; count the others."""
    requests = held(rows[request.history][1]).with_columns(
        pl.col(field.name).cast(TYPES[field.kind]) for field in request.fields
    )
    final = requests.filter(pl.col(request.asked_at) <= end)
    left_out["outcome not final yet"] = requests.height - final.height
    spec, told = rows[outcome.source][0], held(rows[outcome.source][1])
    call = open_closed(outcome.code.name, outcome.code.source, outcome.code.literals)
    values = [_outcome(call, row) for row in told.select(outcome.inputs).iter_rows()]
    key = pl.col(spec.key).cast(TYPES[request.field(request.key).kind]).alias(request.key)
    since = available(spec).cast(TYPES[FieldKind.TIME]).alias(_TOLD)
    labels = told.select(key, pl.Series(OUTCOME, values, dtype=pl.Float64), since)
    labels = labels.drop_nulls().unique(request.key, keep="last", maintain_order=True)
    found = final.join(labels, on=request.key, how="inner", maintain_order="left")
    left_out["never got an outcome"] = final.height - found.height
    return found


def _outcome(call: Callable[..., Any], row: tuple[Any, ...]) -> float | None:
    try:
        value = float(call(*row))
    except ERRORS_THAT_MEAN_NULL:
        return None
    return value if math.isfinite(value) else None


def _check_enough(train: pl.DataFrame, tested: pl.DataFrame, test_from: datetime) -> None:
    if train.height and tested.height:
        return
    msg = f"There is nothing to {'be tested on' if train.height else 'learn from'}"
    raise Invalid(
        msg,
        expected="requests with final outcomes on both sides of the beginning of the test",
        found=f"{train.height} before {test_from:%Y-%m-%d %H:%M}, {tested.height} after",
        way_out="Give it more history, or a shorter test= in project.model.",
    )
