"""What a gate judges by, and how a verdict is put into words. Shared by all gates."""

import msgspec

from lockgate.kernel.canonical import Digest
from lockgate.kernel.verdicts import Verdict
from lockgate.records.check import CheckReport
from lockgate.records.package import Evidence
from lockgate.records.verdict import GateSpec, GateVerdict

__all__ = ["Case", "verdict"]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to judge by."""

    # The package.
    package: Digest
    # The checks of every stage it came through.
    checks: tuple[CheckReport, ...]
    # What was measured about it, and about the live package, on the same rows.
    evidence: tuple[Evidence, ...]
    # The package of the live release; None before the first release.
    live: Digest | None

    def find(self, package: Digest, kind: str) -> Evidence | None:
        """Give the last evidence of a kind about a package."""
        return next((one for one in reversed(self.evidence) if one.package == package and one.kind == kind), None)


def verdict(
    gate: GateSpec,
    case: Case,
    said: Verdict,
    expected: str,
    found: str,
    *,
    note: str = "",
    evidence: tuple[Digest, ...] = (),
) -> GateVerdict:
    """Give the verdict of a gate on a case."""
    return GateVerdict(
        gate=gate.name,
        package=case.package,
        verdict=said,
        expected=expected,
        found=found,
        note=note,
        evidence=evidence,
    )
