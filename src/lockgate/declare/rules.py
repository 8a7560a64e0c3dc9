"""Rules about rows, as a user declares them. What they mean is in `rules/`.

Every rule measures something and has two thresholds: above `warn` it warns, above `at_most` it fails. For rules about
rows the measure is the share of rows that break it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lockgate.declare.mistakes import declaration, where

__all__ = [
    "RuleWanted",
    "RulesFile",
    "between",
    "fresh",
    "holds",
    "in_order",
    "jensen_shannon",
    "ks",
    "missing",
    "missing_change",
    "one_of",
    "psi",
    "refers_to",
    "row_change",
    "row_count",
    "row_loss",
    "rules_from",
    "typed",
    "unique",
    "unseen",
    "varies",
]


class RuleWanted:
    """A declared rule."""

    def __init__(
        self,
        kind: str,
        column: str = "",
        *more: str,
        warn: float | None = None,
        at_most: float = 0.0,
        share: bool = True,
        **parameters: Any,  # noqa: ANN401 - each rule has its own
    ) -> None:
        """Remember where it was declared.

        Args:
            kind: its name.
            column: the column it is about.
            more: the other columns it reads.
            warn: above this it warns.
            at_most: above this it fails.
            share: whether thresholds are shares of rows.
            parameters: what else it is set to.
        """
        self.kind = kind
        self.column = column
        self.more = more
        self.warn = warn
        self.at_most = at_most
        self.share = share
        self.parameters = parameters
        self.quarantine = False
        self.where = where()


class RulesFile:
    """Rules that stand in a file beside the project."""

    def __init__(self, path: str) -> None:
        """Remember where it was asked for."""
        self.path = path
        self.where = where()


@declaration
def unique(*columns: str, warn: float | None = None, at_most: float = 0.0) -> RuleWanted:
    """No value twice, or no combination of several columns' values; nulls are not looked at."""
    return RuleWanted("unique", *columns, warn=warn, at_most=at_most)


@declaration
def missing(column: str, *, warn: float | None = None, at_most: float = 0.0) -> RuleWanted:
    """No null and no NaN; `at_most` is the share of rows that may have one."""
    return RuleWanted("missing", column, warn=warn, at_most=at_most)


@declaration
def between(column: str, low: float, high: float, *, warn: float | None = None, at_most: float = 0.0) -> RuleWanted:
    """Every value from `low` to `high`, both included; nulls are not looked at, NaN breaks it."""
    return RuleWanted("between", column, warn=warn, at_most=at_most, low=low, high=high)


@declaration
def one_of(column: str, *values: str | int | bool, warn: float | None = None, at_most: float = 0.0) -> RuleWanted:
    """Every value one of these; nulls are not looked at."""
    return RuleWanted("one_of", column, warn=warn, at_most=at_most, values=list(values))


@declaration
def typed(column: str, *kinds: type) -> RuleWanted:
    """The column is there and of a type: `bool`, `int`, `float` (whole numbers, too), `str` or `datetime`."""
    return RuleWanted("typed", column, kinds=list(kinds))


@declaration
def holds(function: Callable[..., Any], *, warn: float | None = None, at_most: float = 0.0) -> RuleWanted:
    """A function of columns is true: a plain Python function whose parameters are named like them, and gives a bool.

    Its meaning is what CPython does, row by row; times come in the project's zone. A row breaks it where it is false or
    raises; a row with a null that it can't do with is not looked at. It reads its parameters, literals and `math` only.
    """
    return RuleWanted("holds", warn=warn, at_most=at_most, function=function)


@declaration
def refers_to(column: str, source: Any, *, warn: float | None = None, at_most: float = 0.0) -> RuleWanted:  # noqa: ANN401 - a declared source
    """Every value is a key of another source; nulls are not looked at."""
    return RuleWanted("refers_to", column, warn=warn, at_most=at_most, source=source)


@declaration
def in_order(column: str, *, by: str | None = None, warn: float | None = None, at_most: float = 0.0) -> RuleWanted:
    """No value smaller than the one of the row above it, or of the row above it with the same `by`."""
    return RuleWanted("in_order", column, *([by] if by else []), warn=warn, at_most=at_most)


@declaration
def row_count(*, at_least: int = 1, at_most: int | None = None, warn: tuple[int, int] | None = None) -> RuleWanted:
    """So many rows in all; outside of `warn`, (least, most), it warns."""
    band = list(warn) if warn else None
    return RuleWanted("row_count", share=False, least=at_least, most=at_most, warn_band=band)


@declaration
def row_change(*, warn: float | None = None, at_most: float = 0.5) -> RuleWanted:
    """As many rows as in the snapshot before, within a share of those; the first one has nothing to differ from."""
    return RuleWanted("row_change", warn=warn, at_most=at_most, share=False)


@declaration
def row_loss(*, warn: float | None = None, at_most: float = 0.0) -> RuleWanted:
    """Of the rows that came into this stage, this share may not come out of it."""
    return RuleWanted("row_loss", warn=warn, at_most=at_most)


@declaration
def fresh(*, at_most: timedelta, warn: timedelta | None = None, column: str | None = None) -> RuleWanted:
    """The newest row is no older than this when the snapshot is taken.

    Args:
        at_most: above this age it fails.
        warn: above this age it warns.
        column: the time that counts; the source's available time if left out, or its event time and delay.
    """
    seconds = warn.total_seconds() if warn is not None else None
    return RuleWanted("fresh", column or "", warn=seconds, at_most=at_most.total_seconds(), share=False)


@declaration
def varies(column: str) -> RuleWanted:
    """More than one value is there: it fails where every value is missing, and warns where all are the same."""
    return RuleWanted("varies", column, warn=0.0, at_most=1.0)


@declaration
def psi(
    column: str, *, reference: str, warn: float | None = 0.1, at_most: float = 0.25, min_rows: int = 1_000
) -> RuleWanted:
    """The population stability index against a reference stays small.

    Args:
        column: numbers, over the reference's ten parts of equal size; or text, over its values.
        reference: the path of a profile that `lockgate check infer` wrote, beside the project file.
        warn: above this it warns.
        at_most: above this it fails.
        min_rows: with fewer rows it is inconclusive: chance alone moves it.
    """
    return _distance("psi", column, reference, warn, at_most, min_rows)


@declaration
def ks(
    column: str, *, reference: str, warn: float | None = 0.1, at_most: float = 0.2, min_rows: int = 1_000
) -> RuleWanted:
    """The greatest difference between cumulated shares of numbers and of a reference stays small; as `psi`."""
    return _distance("ks", column, reference, warn, at_most, min_rows)


@declaration
def jensen_shannon(
    column: str, *, reference: str, warn: float | None = 0.15, at_most: float = 0.3, min_rows: int = 1_000
) -> RuleWanted:
    """The Jensen-Shannon distance between the shares of texts and those of a reference stays small; as `psi`."""
    return _distance("jensen_shannon", column, reference, warn, at_most, min_rows)


@declaration
def missing_change(
    column: str, *, reference: str, warn: float | None = None, at_most: float = 0.05, min_rows: int = 1_000
) -> RuleWanted:
    """The share of missing values is that of a reference, within `at_most`."""
    return _distance("missing_change", column, reference, warn, at_most, min_rows)


@declaration
def unseen(column: str, *, reference: str, warn: float | None = None, at_most: float = 0.0) -> RuleWanted:
    """Every text is one that a reference has; `at_most` is the share of rows that may have another."""
    return RuleWanted("unseen", column, warn=warn, at_most=at_most, reference=reference)


def _distance(kind: str, column: str, reference: str, warn: float | None, at_most: float, min_rows: int) -> RuleWanted:
    return RuleWanted(kind, column, warn=warn, at_most=at_most, share=False, reference=reference, min_rows=min_rows)


@declaration
def rules_from(path: str) -> RulesFile:
    """Take rules from a file that `lockgate check infer` wrote and you reviewed; its path from the project's folder."""
    return RulesFile(path)
