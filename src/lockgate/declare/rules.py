"""Rules about rows, as a user declares them. What they mean is in `rules/`."""

from typing import Any

from lockgate.declare.mistakes import declaration, where

__all__ = ["RuleWanted", "between", "missing", "one_of", "row_count", "unique"]


class RuleWanted:
    """A declared rule."""

    def __init__(self, kind: str, column: str = "", *, at_most: float = 0.0, **parameters: Any) -> None:  # noqa: ANN401 - each rule has its own
        """Remember where it was declared."""
        self.kind = kind
        self.column = column
        self.at_most = at_most
        self.parameters = parameters
        self.where = where()


@declaration
def unique(column: str, *, at_most: float = 0.0) -> RuleWanted:
    """No value twice; `at_most` is the share of rows that may repeat one."""
    return RuleWanted("unique", column, at_most=at_most)


@declaration
def missing(column: str, *, at_most: float = 0.0) -> RuleWanted:
    """No null and no NaN; `at_most` is the share of rows that may have one."""
    return RuleWanted("missing", column, at_most=at_most)


@declaration
def between(column: str, low: float, high: float, *, at_most: float = 0.0) -> RuleWanted:
    """Every value from `low` to `high`, both included; nulls are not looked at, NaN breaks it."""
    return RuleWanted("between", column, low=low, high=high, at_most=at_most)


@declaration
def one_of(column: str, *values: str, at_most: float = 0.0) -> RuleWanted:
    """Every value one of these; nulls are not looked at."""
    return RuleWanted("one_of", column, values=list(values), at_most=at_most)


@declaration
def row_count(*, at_least: int = 1, at_most: int | None = None) -> RuleWanted:
    """So many rows in all."""
    return RuleWanted("row_count", least=at_least, most=at_most)
