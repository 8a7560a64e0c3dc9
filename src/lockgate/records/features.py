"""What a model is asked, what it computes from it, and the sets of rows it learns and is tested on.

`RequestSpec`, `FeatureSet` and `OutcomeSpec` are the declared meaning, compiled to plain data; functions travel as
their own source text over literals, so that a digest covers all that decides a value.
"""

import enum
from datetime import timedelta

import msgspec

from lockgate.kernel.canonical import Digest, Instant, Record
from lockgate.records.snapshot import RowFile

__all__ = [
    "Aggregate",
    "Code",
    "FeatureSet",
    "FeatureSpec",
    "Field",
    "FieldKind",
    "Input",
    "InputKind",
    "Lookup",
    "LookupColumn",
    "ModelColumn",
    "OutcomeSpec",
    "RequestSpec",
    "TrainingSet",
    "Unseen",
    "Window",
    "WindowColumn",
]


class FieldKind(enum.Enum):
    """The type of a value."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"
    CATEGORY = "category"  # text from a vocabulary that the training rows gave
    TIME = "time"  # a moment; on the wire with a zone


class Unseen(enum.Enum):
    """What becomes of a category that the training rows did not have."""

    REFUSE = "refuse"  # the request is refused
    OTHER = "other"  # the model sees a missing value; counted


class InputKind(enum.Enum):
    """Where an input of a feature comes from."""

    FIELD = "field"  # of the request
    FEATURE = "feature"  # another feature
    LOOKUP = "lookup"  # a column of a source, as known when asked
    WINDOW = "window"  # a column of a window, as known when asked


class Aggregate(enum.Enum):
    """What is made of the rows in a window."""

    COUNT = "count"  # how many there are; 0 for none
    SUM = "sum"  # 0 for none
    MEAN = "mean"
    MIN = "min"
    MAX = "max"
    STD = "std"  # the sample standard deviation, divided by n - 1
    LAST = "last"  # the value of the row with the latest event time


class Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field of the request."""

    # Its name.
    name: str
    # Its type.
    kind: FieldKind
    # Whether it may be null or left out.
    nullable: bool = False
    # The least value allowed, included; for numbers.
    low: float | None = None
    # The greatest value allowed, included; for numbers.
    high: float | None = None
    # What becomes of an unseen category.
    unseen: Unseen = Unseen.OTHER


class RequestSpec(Record, tag="request/1", frozen=True, kw_only=True):
    """The endpoint's contract: one row of a request."""

    # The name of the user's class.
    name: str
    # The field that identifies what is asked about; outcomes may come by it.
    key: str
    # The field that says when the question is asked: the event clock of a prediction.
    asked_at: str
    # The source that holds past requests.
    history: str
    # How far before the endpoint's watermark a request's time may lie.
    lateness: timedelta
    # The fields, in order.
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        """Give a field by name; a KeyError otherwise."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)


class Code(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A function as data: its source closed over literals."""

    # The function's name.
    name: str
    # Its source, normalised: no decorators, annotations, comments or docstring.
    source: str
    # Global names it reads, each a literal, as Python source.
    literals: dict[str, str] = {}


class Input(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a parameter of a feature is fed with."""

    # The parameter's name.
    parameter: str
    # Where it comes from.
    kind: InputKind
    # The field or feature, or the column of `source`.
    name: str
    # The source, for a lookup; the window, for a window's column.
    source: str = ""


class FeatureSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row feature: a typed function of scalars. Its meaning is what CPython does; an error in it means null."""

    # Its name, and the function's.
    name: str
    # Raised by its author whenever its meaning changes.
    version: int
    # What each parameter is fed with, in order.
    inputs: tuple[Input, ...]
    # The type it returns.
    returns: FieldKind
    # The function.
    code: Code


class LookupColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A column of a source that features read."""

    # Its name.
    name: str
    # Its type; None until the project has met its data.
    type: FieldKind | None = None


class Lookup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Columns of a source that are looked up for a request."""

    # The source's name.
    source: str
    # The request field that is matched with the source's key.
    by: str
    # The columns wanted, in order.
    columns: tuple[LookupColumn, ...]
    # Whether its rows have a time: then the last one known when asked is meant.
    clocked: bool
    # How old a row may be (asked minus event time); None for any age.
    stale_after: timedelta | None = None


class WindowColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One aggregate over one span."""

    # Its name: `{window}_{aggregate}_{span}`.
    name: str
    # What is made of the rows.
    aggregate: Aggregate
    # How far back from the question the window reaches, by event time; the beginning is not part of it, the end is.
    span: timedelta
    # Its type; None until the project has met its data.
    type: FieldKind | None = None


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Aggregates over the rows of a source that share something with the request, as known when asked."""

    # Its name.
    name: str
    # The source whose rows are aggregated.
    source: str
    # The column of the source that is matched with the request field of the same name.
    by: str
    # The column that is aggregated; None where rows are only counted.
    value: str | None = None
    # Its type; None until the project has met its data, or where rows are only counted.
    value_type: FieldKind | None = None
    # Decimal places that a float is rounded to, half to even, before it is summed: then sums are whole numbers, and
    # exact. None for sums of floats as they are.
    scale: int | None = None
    # The columns wanted, in order.
    columns: tuple[WindowColumn, ...]


class ModelColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column of the matrix that the model sees."""

    # Its name.
    name: str
    # Where it comes from.
    kind: InputKind
    # The field or feature, or the column of `source`.
    origin: str
    # The source, for a lookup; the window, for a window's column.
    source: str = ""
    # The type before it becomes a float64; categories become their code in the vocabulary, unseen and null become NaN.
    # None for a lookup or a window until the project has met its data.
    type: FieldKind | None


class FeatureSet(Record, tag="feature-set/1", frozen=True, kw_only=True):
    """All that stands between a request and the matrix; offline and online run this same thing."""

    # The zone in which times are handed to features.
    timezone: str
    # What is looked up, in order of declaration.
    lookups: tuple[Lookup, ...]
    # What is aggregated, in order of declaration. What was known of a request holds the values of each look-up, then
    # those of each window.
    windows: tuple[Window, ...] = ()
    # The features, each after those it reads.
    features: tuple[FeatureSpec, ...]
    # The matrix, column by column.
    columns: tuple[ModelColumn, ...]


class OutcomeSpec(Record, tag="outcome-spec/1", frozen=True, kw_only=True):
    """What the model is to foresee, and when it is known."""

    # Its name, and the function's.
    name: str
    # The source that tells it.
    source: str
    # The function's parameters: columns of that source.
    inputs: tuple[str, ...]
    # The type of the outcome.
    returns: FieldKind
    # How long after being asked an outcome is taken as final; a cohort matures then.
    final_after: timedelta
    # What becomes of requests that never get one.
    never: str
    # The function.
    code: Code


class TrainingSet(Record, tag="training-set/1", frozen=True, kw_only=True):
    """Rows to learn from and to be tested on, joined as they would have been served."""

    # The snapshots used, by source.
    snapshots: dict[str, Digest]
    # The digest of the feature set.
    features: Digest
    # The digest of the outcome as declared.
    outcome: Digest
    # What was known by then was used, nothing later: the event clock of the data.
    known_until: Instant
    # Requests asked from here on are the test rows.
    test_from: Instant
    # The first and last request.
    first_asked: Instant
    last_asked: Instant
    # How many rows to learn from.
    train_rows: int
    # How many to be tested on.
    test_rows: int
    # Requests that were left out, by reason.
    left_out: dict[str, int]
    # The training rows: Parquet, inputs, model columns and outcome.
    train_files: tuple[RowFile, ...]
    # The test rows, likewise.
    test_files: tuple[RowFile, ...]
    # The vocabulary of each category column, in code order.
    vocabulary: dict[str, tuple[str, ...]]
