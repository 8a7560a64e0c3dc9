"""A gate's verdict about a package."""

from typing import Any

from lockgate.kernel.canonical import Digest, Record
from lockgate.kernel.verdicts import Verdict

__all__ = ["METRIC_DIRECTIONS", "GateSpec", "GateVerdict", "Judgement"]

METRIC_DIRECTIONS: dict[str, dict[str, int]] = {
    "binary": {"roc_auc": 1, "accuracy": 1, "log_loss": -1, "brier": -1},
    "regression": {"mae": -1, "rmse": -1},
}
"""For each task the metrics that a gate can name: 1 where more is better, -1 where less is."""


class GateSpec(Record, tag="gate/1", frozen=True, kw_only=True):
    """A declared gate."""

    # Which gate: a name in the table of `gates/`.
    kind: str
    # What it is set to.
    parameters: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """Name it for people: `metric roc_auc`."""
        about = self.parameters.get("metric", "")
        by = self.parameters.get("by", "")
        return " ".join(part for part in (self.kind.replace("_", " "), about, f"by {by}" if by else "") if part)


class GateVerdict(Record, tag="gate-verdict/1", frozen=True, kw_only=True):
    """What a gate decided, and on what."""

    # The gate's name.
    gate: str
    # The package judged.
    package: Digest
    # The verdict.
    verdict: Verdict
    # What had to hold, in words.
    expected: str
    # What was found, in words.
    found: str
    # Why, where the two do not say it.
    note: str = ""
    # The evidence it saw.
    evidence: tuple[Digest, ...] = ()


class Judgement(Record, tag="judgement/1", frozen=True, kw_only=True):
    """All that the gates of a walk decided about its package, whether it was released or stopped."""

    # The walk.
    line: str
    # The endpoint that it was on its way to.
    endpoint: str
    # The package judged.
    package: Digest
    # The verdict of each gate, in the order of the gates.
    verdicts: tuple[Digest, ...]
