"""What a child does that puts recorded questions to a package again."""

from pathlib import Path
from typing import Any

import msgspec

from lockgate.kernel.canonical import parse
from lockgate.packages.runtime import load_package
from lockgate.records.package import Reference

__all__ = ["Reasked", "reask"]


class Reasked(msgspec.Struct, kw_only=True):
    """How the answers of a package differ from those that were recorded."""

    worst_difference: float
    tolerance: float
    questions: int


def reask(_: Path, __: Path, arguments: dict[str, Any], ___: object) -> Reasked:
    """Load a package and put the questions of another one's `reference.json` to it."""
    recorded = parse(Path(arguments["recorded"]).read_bytes(), Reference)
    worst = load_package(Path(arguments["folder"]), arguments["package"]).worst_difference(recorded)
    return Reasked(worst_difference=worst, tolerance=recorded.tolerance, questions=len(recorded.x))
