"""How much faster GTIL answers one row than scikit-learn does, and whether the answers are the same."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks.harness import Comparison, Figure, at_least, at_most, interleave
from lockgate.packages.formats.protocol import Scorer
from lockgate.packages.formats.table import FORMATS
from lockgate.packages.formats.trees import load_trees
from lockgate.packages.runtimes import agreement

__all__ = ["measure"]

_FASTER = 8.0
_APART = 1e-15
_CALLS = 20
_THRESHOLD = 0.5


def measure(*, rows: int = 20_000, trees: int = 100, rounds: int = 51) -> list[Figure]:
    """Ask both the same row in turns, on one core as a worker does; then compare answers on and beside every split.

    Args:
        rows: that a model is fitted on, and that answers are compared on.
        trees: of the model.
        rounds: how often each is asked a few times; the medians count.
    """
    figures: list[Figure] = []
    for what, (fit, with_nulls) in _MODELS.items():
        x, y = _rows(rows, nulls=with_nulls)
        model = fit(x, y, trees)
        form = FORMATS["skops/1"]
        library, found = form.load(form.dump(model), "binary"), form.trees(model)
        assert found is not None  # noqa: S101 - trees are what this model is made of
        with threadpool_limits(1):
            timed = interleave(partial(_ask, load_trees(found), x), partial(_ask, library, x), rounds=rounds)
            agreed = agreement(library, found, x, {}, _THRESHOLD)
        note = f"{agreed.rows:,} rows, at {agreed.probed:,} of {agreed.splits:,} splits"
        figures += [
            at_least(f"one row: scikit-learn / GTIL, {what}", timed.ratio, "x", _FASTER, _note(timed)),
            at_most(f"largest difference of an answer, {what}", agreed.worst_difference, "", _APART, note),
            at_most(f"decisions flipped, {what}", agreed.flips, "of them", 0, note),
        ]
    return figures


def _ask(scorer: Scorer, x: NDArray[np.float64]) -> None:
    for place in range(_CALLS):
        scorer.score(x[place : place + 1])


def _note(timed: Comparison) -> str:
    first, second = (1e6 * seconds / _CALLS for seconds in (timed.first, timed.second))
    return f"{first:.0f} us, beside {second:.0f} us; half of the rounds {timed.low:.1f} to {timed.high:.1f}"


def _rows(count: int, *, nulls: bool) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    x = random.normal(size=(count, 14))
    y = x[:, 0] + x[:, 1] * x[:, 2] + random.normal(size=count) > 0
    if nulls:
        x[random.random(x.shape) < 0.05] = np.nan
    return x, y


def _boosting(x: Any, y: Any, trees: int) -> Any:  # noqa: ANN401 - scikit-learn publishes no types
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - only where it is measured

    return HistGradientBoostingClassifier(max_iter=trees, early_stopping=False, random_state=0).fit(x, y)


def _forest(x: Any, y: Any, trees: int) -> Any:  # noqa: ANN401 - scikit-learn publishes no types
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - only where it is measured

    return RandomForestClassifier(trees, max_depth=8, random_state=0).fit(x, y)


_MODELS: dict[str, tuple[Callable[..., Any], bool]] = {"boosting": (_boosting, True), "a forest": (_forest, False)}
"""How each is fitted, and whether on rows with nulls."""
