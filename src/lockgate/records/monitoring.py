"""What was measured of a release in service."""

import enum

import msgspec

from lockgate.kernel.canonical import Instant, Record
from lockgate.kernel.verdicts import Verdict

__all__ = [
    "DailyMetric",
    "ParityCause",
    "ParityClass",
    "ParityExample",
    "ParityLine",
    "ParityReason",
    "ParityReport",
]


class DailyMetric(Record, tag="daily-metric/1", frozen=True, kw_only=True):
    """One metric of one version on one day of the event clock, in the project's zone."""

    # The endpoint's name.
    endpoint: str
    # The version that answered: the number of its release.
    version: int
    # The day on which it was asked, `2013-03-17`.
    day: str
    # The metric's name.
    metric: str
    # Predictions asked on that day.
    predictions: int
    # The share of them that are older than the outcome's `final_after`, by the endpoint's watermark.
    matured: float
    # Matured predictions that have an outcome.
    n: int
    # The metric over those; None where it is not defined (no outcome yet, or only one class).
    value: float | None
    # Outcomes so far, matured or not.
    naive_n: int
    # The metric over those: what a dashboard without maturity would show.
    naive_value: float | None


class ParityClass(enum.Enum):
    """What is derived again, and from what."""

    TRANSFORM = "transform"  # the matrix row, from the logged request and the logged look-ups
    DATA = "data"  # the look-ups, from snapshots at the time asked
    WINDOW = "window"  # the windows, likewise
    MODEL = "model"  # score and answer, from the logged matrix row


class ParityCause(enum.Enum):
    """Why two values differ; each is a hypothesis that was tested on the numbers."""

    TIME_ZONE = "time zone"  # times were read or handed over in another zone
    UNIT = "unit or scale"  # one is the other by a factor or an offset
    FLOAT32 = "float32"  # it went through 32 bits
    TRUNCATION = "truncation"  # digits or letters were cut off
    COERCION = "type coercion"  # the same value in another type
    CATEGORY_ORDER = "category order"  # codes were given in another order
    UNKNOWN_CATEGORY = "unknown category"  # only one of the two knew the category
    NULL_FILL = "null fill"  # a missing value was filled in on the way to the model
    DEFAULT = "default"  # a look-up that finds nothing gave a value
    KEY_CASE = "key case"  # the key was looked up in another form
    LATE = "late data"  # the row was told after the question, or never
    CORRECTION = "correction"  # another version of the same row, corrected or filled in later
    STALE = "stale value"  # an older row than the one that was known
    OTHER_VERSION = "another version"  # another release's model or threshold gave it
    LIBRARY = "library version"  # the same model in other arithmetic
    THRESHOLD = "threshold"  # scores were turned into answers elsewhere
    UNKNOWN = "unknown"  # no hypothesis fits


class ParityExample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A value that was served, beside the one that was derived."""

    # The prediction's id.
    prediction: str
    # When it was asked, event clock.
    asked_at: Instant
    # What was served; None for null.
    served: str | float | bool | None
    # What was derived.
    expected: str | float | bool | None
    # When the row that gave the served value happened and could first be known; None for none.
    served_event: Instant | None = None
    served_available: Instant | None = None
    # The same of the derived value.
    expected_event: Instant | None = None
    expected_available: Instant | None = None


class ParityReason(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cause, and how far it goes."""

    # The cause.
    cause: ParityCause
    # How many of the differences that were looked at it explains.
    explains: int
    # How many were looked at.
    of: int
    # What the numbers say, for people.
    note: str


class ParityLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column of one version, compared."""

    # The version: the number of its release.
    version: int
    # What was derived again.
    part: ParityClass
    # The model's column, `source.column`, the window's column, `score` or `answer`.
    column: str
    # How many values were compared; each is one of the next three.
    compared: int
    # Equal, bit for bit.
    exact: int
    # Not equal, but within the tolerance that is stated.
    within: int
    # Different.
    mismatched: int
    # Of the different ones: null where one was derived, and a value where null was derived.
    served_null: int
    expected_null: int
    # Not compared: no snapshot covers the time asked.
    not_covered: int
    # The largest difference that counts as within; 0 for none.
    tolerance: float
    # When a different one was first asked; None for none.
    first_seen: Instant | None
    # The largest difference; None for none.
    worst: ParityExample | None
    # Why they differ, the commonest first; empty where none does.
    reasons: tuple[ParityReason, ...]

    @property
    def verdict(self) -> Verdict:
        """Say what came of it: what was not compared is not equal."""
        if self.mismatched:
            return Verdict.FAIL
        return Verdict.PASS if self.compared else Verdict.INCONCLUSIVE


class ParityReport(Record, tag="parity-report/1", frozen=True, kw_only=True):
    """What an endpoint served over a span, beside what is derived again offline."""

    # The endpoint's name.
    endpoint: str
    # Predictions asked after `since` and up to `until`, the endpoint's watermark; None where nothing was asked.
    since: Instant | None
    until: Instant | None
    # How many of them.
    predictions: int
    # How many of them every snapshot that is needed covers.
    covered: int
    # How many come from a release that could not be opened, by reason; they are not compared.
    left_out: dict[str, int]
    # Until when each clocked source's snapshot covers what is asked, by source.
    sources: dict[str, Instant]
    # What was compared, by version, class and column.
    lines: tuple[ParityLine, ...]
    # The worst of the lines; `inconclusive` where a line compared nothing.
    verdict: Verdict

    @property
    def mismatched(self) -> int:
        """How many values differ."""
        return sum(line.mismatched for line in self.lines)
