"""Gates, as a user declares them. What they decide is in `gates/`."""

from typing import Any

from lockgate.declare.mistakes import declaration, where

__all__ = ["GateWanted", "metric", "no_worse_than_live"]


class GateWanted:
    """A declared gate."""

    def __init__(self, kind: str, **parameters: Any) -> None:  # noqa: ANN401 - each gate has its own
        """Remember where it was declared."""
        self.kind = kind
        self.parameters = {name: value for name, value in parameters.items() if value is not None}
        self.where = where()


@declaration
def metric(
    name: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    by: str | None = None,
    min_rows: int = 200,
) -> GateWanted:
    """Bound a metric on the test rows.

    Args:
        name: `roc_auc`, `accuracy`, `log_loss`, `brier` where the outcome is true or false; `mae`, `rmse` for a number.
        at_least: the floor, for metrics where more is better.
        at_most: the ceiling, for metrics where less is better.
        by: a request field: the bound must hold for each of its values.
        min_rows: with fewer test rows (of a value, with `by`) the gate is inconclusive and stays shut; values of `by`
            with fewer rows are named, and not judged.
    """
    return GateWanted("metric", metric=name, at_least=at_least, at_most=at_most, by=by, min_rows=min_rows)


@declaration
def no_worse_than_live(name: str, *, by: float = 0.0) -> GateWanted:
    """Compare with the live release on the same test rows: worse by more than `by` is refused; a first one passes."""
    return GateWanted("no_worse_than_live", metric=name, margin=by)
