"""Holds the rows of requests against the rules that the project declares for the history of its requests.

- A rule that tolerates nothing (`at_most` is 0) refuses a request with a row that breaks it; all such rows are listed.
- A rule with a tolerance can't be held against one row: it is counted, and the request is answered.
- Their meaning is that of `rules/rows.py`, which a test holds against the meaning on frames.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import msgspec

from lockgate.kernel.errors import Fault, Invalid
from lockgate.kernel.names import nearest
from lockgate.records.check import Rule
from lockgate.records.features import RequestSpec
from lockgate.rules.rows import BROKEN_ON_ROWS
from lockgate.rules.words import condition_of
from lockgate.serving.faults import LISTED

__all__ = ["RowRules"]

_Row = Sequence[Any]
_LISTING = {"one_of", "unseen"}


class RowRules:
    """The rules of a contract.

    Args:
        rules: those that one row keeps or breaks by itself.
        request: what is asked; rows are given in the order of its fields, times in the project's zone.
    """

    def __init__(self, rules: Sequence[Rule], request: RequestSpec) -> None:
        names = [field.name for field in request.fields]
        judged = [(rule, _on_rows(rule, [names.index(column) for column in rule.columns])) for rule in rules]
        self._positions = {name: position for position, name in enumerate(names)}
        self._refused = [(rule, broken) for rule, broken in judged if rule.at_most == 0]
        self._counted = [(rule.name, broken) for rule, broken in judged if rule.at_most > 0]

    def refuse(self, rows: Sequence[_Row]) -> None:
        """Refuse rows that break a rule that tolerates nothing.

        Raises:
            Invalid: with every row that breaks one, 100 at most.
        """
        refused = self._refused
        if not any(broken(row) for _, broken in refused for row in rows):
            return
        faults = (
            self._fault(number, row, rule) for number, row in enumerate(rows) for rule, broken in refused if broken(row)
        )
        listed = tuple(islice(faults, LISTED))
        count = len(listed) + sum(1 for _ in faults)
        more = f", the first {LISTED} of which are listed" if count > LISTED else ""
        raise Invalid(
            "This request breaks what its endpoint expects of rows, and nothing of it was taken",
            found=f"{count:,} fault{'' if count == 1 else 's'}{more}",
            faults=listed,
        )

    def broken(self, row: _Row) -> tuple[str, ...]:
        """Name the rules with a tolerance that a row breaks."""
        return tuple([name for name, broken in self._counted if broken(row)])

    def _fault(self, number: int, row: _Row, rule: Rule) -> Fault:
        values = {column: _shown(row[self._positions[column]]) for column in rule.columns}
        if rule.more:
            found = ", ".join(f"{column} {value}" for column, value in values.items())
            return Fault(at=f"rows[{number}]", expected=condition_of(rule), found=found)
        known = rule.parameters["values"] if rule.kind in _LISTING else ()
        return Fault(
            at=f"rows[{number}].{rule.column}",
            expected=condition_of(rule),
            found=values[rule.column],
            hint=nearest(str(row[self._positions[rule.column]]), map(str, known)) if known else "",
        )


def _on_rows(rule: Rule, positions: list[int]) -> Callable[[_Row], bool]:
    broken = BROKEN_ON_ROWS[rule.kind](rule)
    if len(positions) > 1:
        pick = itemgetter(*positions)
        return lambda row: broken(*pick(row))
    (position,) = positions
    return lambda row: broken(row[position])


def _shown(value: Any) -> str:  # noqa: ANN401 - any value of a row
    return msgspec.json.encode(value).decode()[:80]
