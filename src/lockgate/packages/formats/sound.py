"""Whether what native code follows without looking stays inside its bounds: trees, and what finds neighbours.

scikit-learn walks its trees by the numbers in them and checks no bounds: a number out of place would read, or end, the
process. skops compares types, not numbers. So every tree is looked at once, when it was loaded:

- A child stands behind its parent and inside the tree: no walk leaves it, and every walk ends.
- A split reads a column that whoever holds the tree makes sure is there.
- A search tree is what building it again from its own rows gives.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid

__all__ = ["check_sound"]

# These ask their trees without looking at the rows again.
_UNASKED = ("sklearn.ensemble._forest", "sklearn.ensemble._gb", "sklearn.ensemble._iforest")
_TREES = "sklearn.tree._classes"
_LEAF = -1
_CATEGORY_WORDS = 8  # 256 categories, a bit each
_ROWS, _NODES = slice(1, 4), slice(5, 7)  # of a search tree's state: its arrays, and its levels and nodes


def check_sound(model: Any) -> None:  # noqa: ANN401 - scikit-learn's classes have no common type
    """Look at every tree inside.

    Raises:
        Invalid: one of them would be followed out of its bounds.
    """
    seen: dict[int, int | None] = {}
    waiting: list[tuple[Any, int | None, Any]] = [(model, None, None)]
    while waiting:
        held, width, owner = waiting.pop()
        if isinstance(held, str | bytes | int | float | None) or (id(held), width) in seen.items():
            continue
        seen[id(held)] = width
        if not _is_sound(held, width, owner):
            raise Invalid(
                "A tree of this model leads out of its bounds",
                expected="children behind their parents, and columns that there are",
                found=type(held).__name__,
                way_out="Fit and pack the model again.",
            )
        if not isinstance(held, dict | list | tuple | set | np.ndarray):
            owner = held
            width = _width(held, width)
        waiting += [(part, width, owner) for part in _parts(held)]


def _parts(held: Any) -> Iterator[Any]:  # noqa: ANN401 - any value
    if isinstance(held, dict):
        yield from held.values()
    elif isinstance(held, list | tuple | set):
        yield from held
    elif isinstance(held, np.ndarray):
        yield from held.ravel() if held.dtype == object else ()
    else:
        yield from getattr(held, "__dict__", {}).values()


def _width(held: Any, given: int | None) -> int | None:  # noqa: ANN401 - any object
    """Give how many columns its trees will certainly be asked by."""
    own = getattr(held, "n_features_in_", None)
    kind = type(held).__module__
    if kind == _TREES and given is not None and own is not None:
        own = min(own, given)
    return own if kind in (*_UNASKED, _TREES) or type(held).__name__.startswith("HistGradient") else None


def _is_sound(held: Any, width: int | None, owner: Any) -> bool:  # noqa: ANN401 - any object
    kind = type(held).__name__
    if kind == "Tree":
        nodes = held.__getstate__()["nodes"]
        inner = nodes[nodes["left_child"] != _LEAF]
        at = np.flatnonzero(nodes["left_child"] != _LEAF)
        return _inside(at, len(nodes), inner["left_child"], inner["right_child"]) and _read(inner["feature"], width)
    if kind == "TreePredictor":
        return _is_sound_predictor(held, width, owner)
    if kind in {"KDTree", "BallTree"}:
        given = held.__getstate__()
        again = type(held)(given[0], leaf_size=given[4], metric=given[11]).__getstate__()
        pairs = zip(given[_ROWS], again[_ROWS], strict=True)
        return given[_NODES] == again[_NODES] and all(np.array_equal(one, other) for one, other in pairs)
    if kind.startswith("GradientBoosting"):
        return bool(held.estimators_.shape[1:] == (held.n_trees_per_iteration_,))
    return True


def _is_sound_predictor(held: Any, width: int | None, owner: Any) -> bool:  # noqa: ANN401 - any object
    """Tell it of a tree of histogram boosting, whose categories are rows of bits."""
    nodes, bits, binned = held.nodes, held.raw_left_cat_bitsets, owner._bin_mapper.is_categorical_  # noqa: SLF001 - no other way
    inner = nodes[nodes["is_leaf"] == 0]
    by_category = inner[inner["is_categorical"] != 0]
    return bool(
        _inside(np.flatnonzero(nodes["is_leaf"] == 0), len(nodes), inner["left"], inner["right"])
        and _read(inner["feature_idx"], width)
        and len(binned) == width
        and bits.shape[1:] == (_CATEGORY_WORDS,)
        and binned[by_category["feature_idx"]].all()
        and (by_category["bitset_idx"] < len(bits)).all()
    )


def _inside(at: NDArray[Any], size: int, *children: NDArray[Any]) -> bool:
    return size > 0 and all(bool(((side > at) & (side < size)).all()) for side in children)


def _read(columns: NDArray[Any], width: int | None) -> bool:
    return width is not None and bool(((columns >= 0) & (columns < width)).all())
