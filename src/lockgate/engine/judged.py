"""A package that stands before its gates, and all that it can be measured with."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from lockgate.engine.machine import machine
from lockgate.engine.walk import Walk
from lockgate.kernel.canonical import Digest, canonical, digest_of
from lockgate.project.blueprint import Blueprint
from lockgate.records.package import Evidence
from lockgate.records.release import Release

__all__ = ["Judged", "Measurer"]


class Judged(msgspec.Struct, kw_only=True):
    """A package that stands before its gates, and all that it can be measured with."""

    walk: Walk
    blueprint: Blueprint
    # The package, and the live release, which it is compared with; None before the first.
    package: Digest
    live: Release | None
    # The training set, and what the checks of its stages saw, by stage.
    training_set: Digest
    report_ids: dict[str, Digest]
    # Fetches the test rows, and the rows of every source, to where a child can read them.
    test: Callable[[], Path]
    sources: Callable[[], dict[str, object]]

    def consumed(self) -> dict[str, str]:
        """Give all that decides the verdicts."""
        return {
            "package": self.package,
            "live": self.live.package if self.live else "none",
            "training_set": self.training_set,
            "gates": digest_of([canonical(spec).decode() for spec in self.blueprint.gates]),
            **{f"checks {name}": digest for name, digest in self.report_ids.items()},
        }

    def evidence(self, package: Digest, kind: str, values: dict[str, object]) -> Evidence:
        """Give evidence that was measured here and now, on the test rows."""
        now = self.walk.where.clock()
        return Evidence(package=package, kind=kind, on=self.training_set, at=now, machine=machine(), values=values)


Measurer = Callable[[Judged], list[Evidence]]
"""Measures something of a package; gives evidence about it, and about the live one where the two are compared."""
