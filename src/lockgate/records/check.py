"""Checks: rules about rows, the stages at which they stand, and what they found."""

import enum
from typing import Any

import msgspec

from lockgate.kernel.canonical import Digest, Record
from lockgate.kernel.verdicts import Verdict
from lockgate.records.snapshot import RowFile

__all__ = ["ALONE", "CheckReport", "ColumnProfile", "Profile", "Rule", "RuleResult", "Stage", "place_of"]


ALONE = frozenset(["between", "holds", "missing", "one_of", "unseen"])
"""The rules that one row keeps or breaks by itself: they can guard requests and split rows off."""


class Stage(enum.Enum):
    """Where a check stands: the rows that come out of one transformation are those that go into the next."""

    READ = "read"  # rows of a source, as they were read
    KEPT = "kept"  # rows of a snapshot
    LABELLED = "labelled"  # requests that are final, with their outcome
    JOINED = "joined"  # those, with what was known when each was asked
    TRAIN = "training rows"  # what the model learns from
    TEST = "test rows"  # what it is tested on
    MATRIX = "matrix"  # the columns that the model sees, of the training rows


class Rule(Record, tag="rule/1", frozen=True, kw_only=True):
    """A declared rule."""

    # The source it is about; empty for a rule about a later stage.
    source: str = ""
    # Where it stands.
    stage: Stage = Stage.KEPT
    # Which rule: a name in the tables of `rules/`.
    kind: str
    # The column it is about; empty for a rule about the whole frame.
    column: str = ""
    # The other columns it reads.
    more: tuple[str, ...] = ()
    # What the rule is set to.
    parameters: dict[str, Any] = {}
    # What is measured may be this much and pass; above it, the check warns. None: as much as `at_most`.
    warn: float | None = None
    # What is measured may be this much; above it, the check fails. For rules about rows: the share that break it.
    at_most: float = 0.0
    # Whether rows that break it are split off: kept and counted, but never learnt from.
    quarantine: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns it reads."""
        return (self.column, *self.more) if self.column else self.more

    @property
    def name(self) -> str:
        """Name it for people: `unique(flight_id)`."""
        about = self.parameters.get("function", {}).get("name") or ", ".join(self.columns)
        return f"{self.kind}({about})" if about else self.kind

    @property
    def place(self) -> str:
        """Name the stage it stands at, for people: `weather as kept`."""
        return place_of(self.stage, self.source)


class RuleResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one rule saw."""

    # The rule's name.
    rule: str
    # The columns it reads.
    columns: tuple[str, ...] = ()
    # The condition that had to be met, in words.
    condition: str
    # How many rows it was evaluated on. None: it did not run, which is a failure.
    rows: int | None
    # How many of them broke it.
    failures: int
    # What was measured: the share of rows that broke it, or what the condition says. None where nothing could be.
    measured: float | None = None
    # Above this it warns; None where it does not.
    warn: float | None = None
    # Above this it fails.
    at_most: float
    # What that comes to.
    verdict: Verdict
    # Offending rows, 100 at most, as JSON values.
    examples: tuple[dict[str, Any], ...] = ()
    # Why it did not run, or what to know beside the numbers.
    note: str = ""


class ColumnProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one column looks like."""

    # Its name.
    name: str
    # Its Polars type, as Polars writes it.
    type: str
    # How many of its values are null.
    nulls: int
    # How many are NaN; they are not null, and missing all the same.
    nans: int = 0
    # The least and greatest number, their mean and standard deviation, of what is there; None for other types.
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: float | None = None
    # 101 quantiles, 0 to 100 %; empty where they were not taken.
    quantiles: tuple[float, ...] = ()
    # Upper ends, included, of the bins that distances are measured over; the last bin has none.
    edges: tuple[float, ...] = ()
    # How many values are in each bin: one more than there are edges.
    counts: tuple[int, ...] = ()
    # How often each text or truth value is there, the most frequent first; empty where there are too many.
    values: dict[str, int] = {}


class Profile(Record, tag="profile/1", frozen=True, kw_only=True):
    """What a snapshot looked like: the reference that later ones are measured against."""

    # The source's name.
    source: str
    # The snapshot.
    snapshot: Digest
    # How many rows it had.
    rows: int
    # Its columns, in order.
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        """Give a column by name."""
        return next((column for column in self.columns if column.name == name), None)


class CheckReport(Record, tag="check-report/1", frozen=True, kw_only=True):
    """All rules of one stage."""

    # Where it stood.
    stage: Stage
    # The source's name; empty for a stage after the sources.
    source: str = ""
    # What was examined: a snapshot or a training set.
    on: Digest
    # How many rows came in from the stage before; None where there is none.
    rows_in: int | None = None
    # How many rows it examined.
    rows: int
    # Rows that did not come out, by reason.
    left_out: dict[str, int] = {}
    # The rows that were split off because they broke a rule that says so: kept, but never learnt from.
    quarantine: RowFile | None = None
    # One result for each rule, in the order of declaration.
    results: tuple[RuleResult, ...]
    # What the columns looked like.
    columns: tuple[ColumnProfile, ...] = ()
    # The worst of the results.
    verdict: Verdict

    @property
    def place(self) -> str:
        """Name the stage for people: `weather as kept`."""
        return place_of(self.stage, self.source)


def place_of(stage: Stage, source: str) -> str:
    """Name a stage for people."""
    return f"{source} as {stage.value}" if source else stage.value
