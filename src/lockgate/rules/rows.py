"""What a rule about rows means on one row: a function of its values that is true where the row breaks it.

These are the rules that need no other row, so they can guard a request. Values are Python's own, times in the project's
zone. Nothing heavy is imported: endpoints use this.
"""

from collections.abc import Callable
from typing import Any

from lockgate.kernel.closure import ERRORS_THAT_MEAN_NULL, open_closed
from lockgate.records.check import Rule

__all__ = ["BROKEN_ON_ROWS", "BrokenOnRow"]

BrokenOnRow = Callable[..., bool]
"""From the values of a rule's columns to whether they break it."""


def _missing(_: Rule) -> BrokenOnRow:
    return lambda value: value is None or value != value  # noqa: PLR0124 - only NaN differs from itself


def _between(rule: Rule) -> BrokenOnRow:
    low, high = rule.parameters["low"], rule.parameters["high"]
    return lambda value: value is not None and not low <= value <= high


def _one_of(rule: Rule) -> BrokenOnRow:
    values = frozenset(rule.parameters["values"])
    return lambda value: value is not None and value not in values


def _holds(rule: Rule) -> BrokenOnRow:
    """Judge by the user's function; where it can't be asked because a value is null, the row does not break it."""
    function = rule.parameters["function"]
    call = open_closed(function["name"], function["source"], function["literals"])

    def broken(*values: Any) -> bool:  # noqa: ANN401 - whatever the columns hold
        try:
            return not call(*values) and None not in values
        except ERRORS_THAT_MEAN_NULL:
            return None not in values

    return broken


BROKEN_ON_ROWS: dict[str, Callable[[Rule], BrokenOnRow]] = {
    "between": _between,
    "holds": _holds,
    "missing": _missing,
    "one_of": _one_of,
    "unseen": _one_of,
}
"""The rules that one row keeps or breaks by itself, by the name that records carry."""
