"""Rows that reach every split of a model of trees, and stand where two runtimes are likeliest to part.

For a split of a number: on its threshold, one unit in the last place below and above (of float64 and of float32), where
nothing is known, at both infinities. For a split of a category: one that it names, one that it does not, one never
seen, and where nothing is known. Everything else in the row is as in a row that was given, but for what has to change
for the row to come to the split at all.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["PLACES", "probe_rows"]

PLACES = ("at splits", "where nothing is known", "at infinity")
"""Where probes stand; a library may refuse to answer some of them at all."""

_NUMBER, _CATEGORY = 1, 2
_BELOW = 2  # `<`, where all others of treelite's comparisons here are `<=`
_MOST = 20_000
_CODES = 1_000


def probe_rows(
    model: Any,  # noqa: ANN401 - treelite publishes no types
    x: NDArray[np.float64],
    sizes: Mapping[int, int],
) -> tuple[dict[str, NDArray[np.float64]], int, int]:
    """Give probes by place, how many splits there are, and how many were probed: all, or every nth of too many.

    Args:
        model: a treelite model.
        x: rows to start from (rows, columns).
        sizes: the columns that hold codes of a vocabulary, with its size: codes beyond it come as NaN, as they do when
            a request is encoded.
    """
    trees = [_Tree(model.get_tree_accessor(i)) for i in range(model.num_tree)]
    splits = sum(tree.splits for tree in trees)
    step = max(1, math.ceil(splits / _MOST))
    rows: dict[str, list[NDArray[np.float64]]] = {place: [] for place in PLACES}
    probed = seen = 0
    for tree in trees:
        for node, patch in tree.walk(x[seen % len(x)]):
            seen += 1
            if seen % step:
                continue
            probed += 1
            row = x[seen % len(x)].copy()
            for column, value in patch.items():
                row[column] = value
            _place(tree, node, row, sizes, rows)
    shape = (0, x.shape[1])
    return (
        {place: np.array(found).reshape(-1, x.shape[1]) if found else np.empty(shape) for place, found in rows.items()},
        splits,
        probed,
    )


def _place(
    tree: "_Tree",
    node: int,
    row: NDArray[np.float64],
    sizes: Mapping[int, int],
    rows: dict[str, list[NDArray[np.float64]]],
) -> None:
    column = int(tree.column[node])
    if tree.kind[node] == _CATEGORY:
        named = tree.categories(node)
        codes = [*named[:1], *named[-1:], _other(named), max(named, default=0) + 1, -1]
        size = sizes.get(column)
        values = [float(code) if size is None or 0 <= code < size else math.nan for code in codes]
    else:
        at = float(tree.threshold[node])
        single = np.float32(at)
        values = [at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf)]
        values += [
            float(single),
            float(np.nextafter(single, np.float32(-np.inf))),
            float(np.nextafter(single, np.float32(np.inf))),
        ]
    for place, given in zip(PLACES, (values, [math.nan], [math.inf, -math.inf]), strict=True):
        if place == "at infinity" and tree.kind[node] == _CATEGORY:
            continue
        for value in given:
            probe = row.copy()
            probe[column] = value
            rows[
                "where nothing is known" if math.isnan(value) else "at infinity" if math.isinf(value) else place
            ].append(probe)


def _other(named: list[int]) -> int:
    """Give a code that is not named."""
    return next(code for code in range(_CODES) if code not in named)


class _Tree:
    """A tree as treelite keeps it: for each node its children, and what it asks."""

    def __init__(self, accessor: Any) -> None:  # noqa: ANN401 - treelite publishes no types
        get = accessor.get_field
        self.kind, self.column, self.threshold = get("node_type"), get("split_index"), get("threshold")
        self._left, self._right, self._cmp = get("cleft"), get("cright"), get("cmp")
        self._list, self._begin, self._end = get("category_list"), get("category_list_begin"), get("category_list_end")
        self._named_right = get("category_list_right_child")
        self.splits = int((self.kind != 0).sum())

    def categories(self, node: int) -> list[int]:
        return [int(code) for code in self._list[self._begin[node] : self._end[node]]]

    def walk(self, row: NDArray[np.float64]) -> Iterator[tuple[int, dict[int, float]]]:
        """Give every split with the changes to a row that bring it there."""
        waiting: list[tuple[int, dict[int, float], dict[int, tuple[float, float]]]] = [(0, {}, {})]
        while waiting:
            node, patch, spans = waiting.pop()
            if self.kind[node] == 0:
                continue
            yield node, patch
            column = int(self.column[node])
            value = patch.get(column, float(row[column]))
            for child, goes_left in ((self._left[node], True), (self._right[node], False)):
                if self.kind[node] == _CATEGORY:
                    waiting.append((int(child), {**patch, column: self._code(node, value, goes_left=goes_left)}, spans))
                else:
                    span = self._span(node, spans.get(column, (-math.inf, math.inf)), goes_left=goes_left)
                    waiting.append((int(child), {**patch, column: _within(value, span)}, {**spans, column: span}))

    def _code(self, node: int, value: float, *, goes_left: bool) -> float:
        named = self.categories(node)
        wanted = goes_left != bool(self._named_right[node])
        if (value in named) == wanted and not math.isnan(value):
            return value
        return float(named[0] if wanted and named else _other(named))

    def _span(self, node: int, span: tuple[float, float], *, goes_left: bool) -> tuple[float, float]:
        """Give what is left of a closed span on one side of a split."""
        at = float(self.threshold[node])
        strict = self._cmp[node] == _BELOW
        if goes_left:
            return span[0], min(span[1], float(np.nextafter(at, -np.inf)) if strict else at)
        return max(span[0], at if strict else float(np.nextafter(at, np.inf))), span[1]


def _within(value: float, span: tuple[float, float]) -> float:
    low, high = span
    if low <= value <= high:
        return value
    if low > high:
        return math.nan  # no number comes here
    if math.isfinite(low) and math.isfinite(high):
        return low / 2 + high / 2
    return low if math.isfinite(low) else high
