"""Makes a request, and rows to judge by, of example rows that came with a model that was fitted elsewhere.

- The request's fields are the columns that the model asks for, a key and the time of asking. Where the rows have no key
  or no such time, fields of their own stand for them: callers have to send those.
- Numbers are floats, also where all of these rows happen to be whole. Null is taken where a row has it.
- A text is taken only where the model has codes for it, or is a function that is given it as it is.
- There are no training rows. All rows are test rows; with outcomes where a column holds them, else without.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockgate.features.offline import TYPES, as_served, encode_rows, raw_columns
from lockgate.kernel.errors import Fault, Invalid
from lockgate.kernel.names import nearest
from lockgate.records.features import (
    Code,
    FeatureSet,
    FeatureSpec,
    Field,
    FieldKind,
    InputKind,
    ModelColumn,
    OutcomeSpec,
    RequestSpec,
)
from lockgate.training.assemble import OUTCOME

__all__ = ["EXAMPLE", "Example", "Roles", "read_example", "take_example"]

EXAMPLE = "example"
"""What stands for a source where there is none: the example rows."""

_ANSWERS = "@answers"
_NAME = re.compile(r"\w[^\x00-\x1f\x7f\"'\\]{0,127}")
_BEFORE_TIME = datetime(1970, 1, 1, tzinfo=UTC)
_LATENESS = timedelta(days=7)
_READERS: dict[str, Any] = {
    ".csv": lambda path: pl.read_csv(path, infer_schema_length=None, try_parse_dates=True),
    ".jsonl": lambda path: pl.read_ndjson(path, infer_schema_length=None),
    ".ndjson": lambda path: pl.read_ndjson(path, infer_schema_length=None),
    ".parquet": pl.read_parquet,
    ".pq": pl.read_parquet,
}


class Roles(msgspec.Struct, frozen=True, kw_only=True):
    """What columns of the rows are for; empty for none."""

    # What is asked about, and when.
    key: str = ""
    asked_at: str = ""
    # What happened.
    outcome: str = ""
    # What the original answered.
    answers: str = ""
    # The zone of times that have none; such times are refused where it is not said.
    timezone: str = ""
    # After how long an outcome is final.
    final_after: timedelta = timedelta(days=1)

    def named(self) -> list[str]:
        """Give the columns that are named."""
        return [one for one in (self.key, self.asked_at, self.outcome, self.answers) if one]


@dataclass(frozen=True, kw_only=True)
class Example:
    """A request, and rows of it."""

    request: RequestSpec
    features: FeatureSet
    outcome: OutcomeSpec
    # In order of asking: the fields, the matrix as `@column`, the outcome and what the original answered.
    rows: pl.DataFrame
    # Columns of the example that are no part of the request.
    left_out: tuple[str, ...]
    # Rows that were left out since they have no outcome.
    without_outcome: int

    def answers(self) -> NDArray[np.float64] | None:
        """Give what the original answered, row by row; None where nobody said."""
        return self.rows[_ANSWERS].to_numpy() if _ANSWERS in self.rows.columns else None


def read_example(path: Path) -> pl.DataFrame:
    """Read example rows: CSV, Parquet or JSON lines.

    Raises:
        Invalid: they are none of these, can't be read, or are none.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise Invalid(
            "These are no example rows", expected=f"a file that ends in {', '.join(_READERS)}", found=path.name
        )
    try:
        frame: pl.DataFrame = read(path)
    except (pl.exceptions.PolarsError, OSError, UnicodeError) as error:
        found = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        raise Invalid(f"The example rows in {path.name} can't be read", expected="rows", found=found) from error
    if not frame.height:
        raise Invalid("There are no example rows", expected="at least one row", found=f"none in {path.name}")
    return frame


def take_example(
    frame: pl.DataFrame,
    roles: Roles,
    *,
    task: str,
    columns: Sequence[str],
    vocabulary: Mapping[str, Sequence[str]],
    feature: FeatureSpec | None = None,
    kinds: Mapping[str, tuple[FieldKind, bool] | None] | None = None,
) -> Example:
    """Make the request and the rows.

    Args:
        frame: the rows.
        roles: what their columns are for.
        task: `binary` or `regression`.
        columns: what the model asks for, in its order; columns of the rows.
        vocabulary: for columns of text their texts, in code order.
        feature: the function that is the model, where it is one; it reads these columns.
        kinds: the types of its parameters, as annotated.

    Raises:
        Invalid: with a fault for each column that can't be taken.
    """
    kinds = kinds or {}
    fields = _Fields(frame, roles, function=feature is not None)
    for name in columns:
        fields.add(name, kinds.get(name), vocabulary.get(name))
    fields.add_key()
    fields.add_time()
    request = RequestSpec(
        name="Request",
        key=fields.key,
        asked_at=fields.asked_at,
        history=EXAMPLE,
        lateness=_LATENESS,
        fields=tuple(fields.done()),
    )
    features = FeatureSet(
        timezone=roles.timezone or "UTC",
        lookups=(),
        features=(feature,) if feature else (),
        columns=_model_columns(columns, fields.kinds, feature),
    )
    values = _values(fields.frame, roles, task)
    carried = [name for name in (OUTCOME, _ANSWERS) if name in values.columns]
    kept = values.drop_nulls(OUTCOME) if roles.outcome else values
    rows = as_served(kept, request, features, {}, carry=carried)
    matrix = encode_rows(raw_columns(rows, request, features), features, vocabulary)
    rows = rows.with_columns(pl.Series(f"@{one.name}", matrix[:, i]) for i, one in enumerate(features.columns))
    used = {*(field.name for field in request.fields), *roles.named()}
    return Example(
        request=request,
        features=features,
        outcome=_outcome(roles, task),
        rows=rows,
        left_out=tuple(name for name in frame.columns if name not in used),
        without_outcome=values.height - kept.height,
    )


class _Fields:
    """The fields of the request, and the rows with values for all of them."""

    def __init__(self, frame: pl.DataFrame, roles: Roles, *, function: bool) -> None:
        self.frame, self._roles, self._function = frame, roles, function
        self.kinds: dict[str, FieldKind] = {}
        self._nullable: set[str] = set()
        self._faults = [
            Fault(
                at=one,
                expected="a column of the example rows",
                found="no such column",
                hint=nearest(one, frame.columns),
            )
            for one in roles.named()
            if one not in frame.columns
        ]
        self.key, self.asked_at = roles.key, roles.asked_at

    def add(self, name: str, annotated: tuple[FieldKind, bool] | None, vocabulary: Sequence[str] | None) -> None:
        """Add a column that the model asks for."""
        if name not in self.frame.columns:
            hint = nearest(name, self.frame.columns)
            self._faults.append(Fault(at=name, expected="a column that the model asks for", found="none", hint=hint))
            return
        if _NAME.fullmatch(name) is None:
            expected = "a name of at most 128 characters that begins with a letter, a digit or _, without quotes"
            self._faults.append(Fault(at=name[:40], expected=expected, found=repr(name)[:60]))
            return
        kind = annotated[0] if annotated else self._kind(name, vocabulary is not None)
        if kind is None:
            expected = "numbers, or true and false; text where the model has codes for it"
            hint = "Give the model numbers, or bring a function: it gets texts as they are."
            self._faults.append(Fault(at=name, expected=expected, found=str(self.frame.schema[name]), hint=hint))
            return
        self._put(name, kind, nullable=bool(self.frame[name].null_count()) or bool(annotated and annotated[1]))

    def _kind(self, name: str, coded: bool) -> FieldKind | None:  # noqa: FBT001 - whether the model has codes for it
        dtype = self.frame.schema[name]
        if dtype == pl.Boolean:
            return FieldKind.BOOL
        if dtype.is_numeric():
            return FieldKind.INT if self._function and dtype.is_integer() else FieldKind.FLOAT
        if isinstance(dtype, pl.String | pl.Categorical | pl.Enum) and (coded or self._function):
            return FieldKind.CATEGORY if coded else FieldKind.TEXT
        return FieldKind.TIME if dtype.is_temporal() and self._function else None

    def _put(self, name: str, kind: FieldKind, *, nullable: bool) -> None:
        try:
            typed = self._timed(name) if kind is FieldKind.TIME else self.frame[name].cast(TYPES[kind])
        except (pl.exceptions.PolarsError, Invalid) as error:
            found = error.found if isinstance(error, Invalid) else str(error).partition("\n")[0]
            self._faults.append(Fault(at=name, expected=f"{kind.value} values", found=found))
            return
        self.frame = self.frame.with_columns(typed.alias(name))
        self.kinds[name] = kind
        self._nullable |= {name} if nullable else set()

    def _timed(self, name: str) -> pl.Series:
        """Give times in UTC; those without a zone are in the one that was said."""
        values = self.frame[name]
        if values.dtype == pl.String:
            values = values.str.to_datetime(time_unit="us", time_zone="UTC")
        if not isinstance(values.dtype, pl.Datetime):
            raise Invalid("no times", found=str(values.dtype))
        if values.dtype.time_zone is None:
            if not self._roles.timezone:
                raise Invalid("no zone", found="times without a zone; say which with --timezone")
            values = values.dt.replace_time_zone(self._roles.timezone)
        return values.dt.convert_time_zone("UTC").cast(TYPES[FieldKind.TIME])

    def add_key(self) -> None:
        """Add what is asked about; counted where no column says it."""
        if not self.key:
            self.key = self._free("id")
            self.frame = self.frame.with_columns(pl.int_range(pl.len()).cast(pl.String).alias(self.key))
            self.kinds[self.key] = FieldKind.TEXT
        elif self.key in self.frame.columns and self.key not in self.kinds:
            whole = self.frame.schema[self.key].is_integer()
            self._put(self.key, FieldKind.INT if whole else FieldKind.TEXT, nullable=False)
        elif self.kinds.get(self.key) not in {None, FieldKind.INT, FieldKind.TEXT}:
            # The model asks for it as well, and a key is not a float.
            self._faults.append(
                Fault(at=self.key, expected="a key that is text or whole", found="a column of the model")
            )

    def add_time(self) -> None:
        """Add the time of asking; before all time where no column says it."""
        if not self.asked_at:
            self.asked_at = self._free("asked_at")
            moments = pl.lit(_BEFORE_TIME).cast(TYPES[FieldKind.TIME]) + pl.duration(seconds=pl.int_range(pl.len()))
            self.frame = self.frame.with_columns(moments.alias(self.asked_at))
            self.kinds[self.asked_at] = FieldKind.TIME
        elif self.asked_at in self.frame.columns and self.kinds.get(self.asked_at) is not FieldKind.TIME:
            self._put(self.asked_at, FieldKind.TIME, nullable=False)

    def _free(self, name: str) -> str:
        return name if name not in self.frame.columns else self._free(f"request_{name}")

    def done(self) -> list[Field]:
        """Give the fields, key and time first.

        Raises:
            Invalid: with all that can't be taken.
        """
        if self._faults:
            raise Invalid("These example rows do not fit this model", faults=tuple(self._faults))
        order = [self.key, self.asked_at, *(name for name in self.kinds if name not in {self.key, self.asked_at})]
        return [Field(name=name, kind=self.kinds[name], nullable=name in self._nullable) for name in order]


def _model_columns(
    columns: Sequence[str], kinds: Mapping[str, FieldKind], feature: FeatureSpec | None
) -> tuple[ModelColumn, ...]:
    if feature is not None:
        return (ModelColumn(name=feature.name, kind=InputKind.FEATURE, origin=feature.name, type=feature.returns),)
    return tuple(
        ModelColumn(name=name, kind=InputKind.FIELD, origin=name, type=kinds.get(name, FieldKind.FLOAT))
        for name in columns
    )


def _values(frame: pl.DataFrame, roles: Roles, task: str) -> pl.DataFrame:
    """Add the outcome, and what the original answered, as numbers."""
    try:
        if roles.answers:
            frame = frame.with_columns(pl.col(roles.answers).cast(pl.Float64).alias(_ANSWERS))
        outcome = pl.col(roles.outcome).cast(pl.Float64) if roles.outcome else pl.lit(None, dtype=pl.Float64)
        frame = frame.with_columns(outcome.fill_nan(None).alias(OUTCOME))
    except pl.exceptions.PolarsError as error:
        found = str(error).partition("\n")[0]
        raise Invalid(
            "The outcomes or the answers are no numbers", expected="numbers, or true and false", found=found
        ) from error
    seen = frame[OUTCOME].drop_nulls().unique().to_list()
    if task == "binary" and not set(seen) <= {0.0, 1.0}:
        found = ", ".join(f"{one:g}" for one in seen[:5])
        raise Invalid("These outcomes are not true and false", expected="true and false, or 1 and 0", found=found)
    return frame


def _outcome(roles: Roles, task: str) -> OutcomeSpec:
    """Say what is foreseen; nothing is computed, it is told as it is."""
    return OutcomeSpec(
        name=roles.outcome or "outcome",
        source=EXAMPLE,
        inputs=(roles.outcome or "outcome",),
        returns=FieldKind.BOOL if task == "binary" else FieldKind.FLOAT,
        final_after=roles.final_after,
        never="exclude",
        code=Code(name="outcome", source="def outcome(value):\n    return value"),
    )
