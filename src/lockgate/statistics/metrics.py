"""How good scores are. `y` and `scores` are float64 arrays of one shape, (rows,); `y` is 0 or 1 for classifiers.

A metric that is not defined on its rows (none, or one class only where two are needed) is None, never 0.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["METRICS", "Metric", "accuracy", "brier", "log_loss", "mae", "rmse", "roc_auc"]

Array = NDArray[np.float64]
Metric = Callable[[Array, Array, float], float | None]
"""From (outcomes, scores, threshold) to a value."""

_LEAST_PROBABILITY = 1e-15


def roc_auc(y: Array, scores: Array, threshold: float = 0.5) -> float | None:
    """Give the probability that a true case scores above a false one, ties counting half (Hanley and McNeil 1982)."""
    del threshold
    true = int(y.sum())
    false = len(y) - true
    if not true or not false:
        return None
    _, groups, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[groups]
    return float((ranks[y == 1].sum() - true * (true + 1) / 2) / (true * false))


def accuracy(y: Array, scores: Array, threshold: float = 0.5) -> float | None:
    """Give the share of right answers at a threshold."""
    return float(((scores >= threshold) == (y == 1)).mean()) if len(y) else None


def brier(y: Array, scores: Array, threshold: float = 0.5) -> float | None:
    """Give the mean squared difference between probability and outcome (Brier 1950)."""
    del threshold
    return float(((scores - y) ** 2).mean()) if len(y) else None


def log_loss(y: Array, scores: Array, threshold: float = 0.5) -> float | None:
    """Give the mean negative log-likelihood in nats; probabilities are kept 1e-15 away from 0 and 1."""
    del threshold
    p = np.clip(scores, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    return float(-(y * np.log(p) + (1 - y) * np.log1p(-p)).mean()) if len(y) else None


def mae(y: Array, scores: Array, threshold: float = 0.5) -> float | None:
    """Give the mean absolute error, in the outcome's unit."""
    del threshold
    return float(np.abs(scores - y).mean()) if len(y) else None


def rmse(y: Array, scores: Array, threshold: float = 0.5) -> float | None:
    """Give the root of the mean squared error, in the outcome's unit."""
    del threshold
    return float(np.sqrt(((scores - y) ** 2).mean())) if len(y) else None


METRICS: dict[str, dict[str, Metric]] = {
    "binary": {"roc_auc": roc_auc, "accuracy": accuracy, "log_loss": log_loss, "brier": brier},
    "regression": {"mae": mae, "rmse": rmse},
}
"""The metrics of each task; the first is the one shown first."""
