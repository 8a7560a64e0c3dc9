"""Checks: rules about rows, and what they found."""

from typing import Any

import msgspec

from lockgate.kernel.canonical import Digest, Record
from lockgate.kernel.verdicts import Verdict

__all__ = ["CheckReport", "Rule", "RuleResult"]


class Rule(Record, tag="rule/1", frozen=True, kw_only=True):
    """A declared rule."""

    # The source it is about.
    source: str
    # Which rule: a name in the table of `rules/`.
    kind: str
    # The column it is about; empty for a rule about the whole frame.
    column: str = ""
    # What the rule is set to.
    parameters: dict[str, Any] = {}
    # The share of rows that may break it with a warning only; above it, the check fails.
    at_most: float = 0.0

    @property
    def name(self) -> str:
        """Name it for people: `unique(flight_id)`."""
        return f"{self.kind}({self.column})" if self.column else self.kind


class RuleResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one rule saw."""

    # The rule's name.
    rule: str
    # The condition that each row had to meet, in words.
    condition: str
    # How many rows it was evaluated on. None: it did not run, which is a failure.
    rows: int | None
    # How many of them broke it.
    failures: int
    # The share that may break it.
    at_most: float
    # What that comes to.
    verdict: Verdict
    # Offending rows, 100 at most, as JSON values.
    examples: tuple[dict[str, Any], ...] = ()
    # Why it did not run, or what to know beside the numbers.
    note: str = ""


class CheckReport(Record, tag="check-report/1", frozen=True, kw_only=True):
    """All rules of one source on one snapshot."""

    # The source's name.
    source: str
    # The snapshot examined.
    snapshot: Digest
    # How many rows it has.
    rows: int
    # One result for each rule, in the order of declaration.
    results: tuple[RuleResult, ...]
    # The worst of them.
    verdict: Verdict
