"""Measures what a package takes, beside the live one, in a child that starts the processes which are sampled."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from lockgate.engine.children import Job, run_child
from lockgate.engine.judged import Judged
from lockgate.engine.sampling import Contender, Sampling, sample
from lockgate.gates.performance import ALPHA, PERFORMANCE, RELATIVE, compared
from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import Failed
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import read_contract
from lockgate.records.package import Evidence
from lockgate.records.verdict import GateSpec

__all__ = ["Performed", "perform", "performance", "sampling_for"]

_ROWS = 256
_STARTS = 8
_MOST_SECONDS = 20.0


class Performed(msgspec.Struct, kw_only=True):
    """What each package took: the one that is judged, and the live one."""

    values: list[dict[str, Any]]
    # Why the live one was not sampled; empty where it was, or was not asked for.
    alone: str = ""


def performance(judged: Judged) -> list[Evidence]:
    """Sample the package, and the live one beside it where a gate compares them.

    What can't be sampled gives no evidence.
    """
    specs = [spec for spec in judged.blueprint.gates if spec.kind in PERFORMANCE]
    live = judged.live.package if judged.live else None
    rival = live if live != judged.package and any(compared(spec) for spec in specs) else None
    packages = [judged.package, *([rival] if rival else [])]
    shelf = judged.walk.where.shelf
    arguments = {
        "packages": [(package, str(shelf.unpack(package))) for package in packages],
        "test": str(judged.test()),
        "sampling": msgspec.to_builtins(sampling_for(specs)),
    }
    job = Job(kind="perform", folder=judged.walk.line.folder, arguments=arguments)
    try:
        found = run_child(job, judged.walk.scratch / "perform", Performed, judged.walk.progress("gates"))
    except Failed:
        return []
    sampled = packages[: len(found.values)]
    beside = [*sampled[1:], *sampled[:1]] if len(sampled) > 1 else [None]
    return [
        judged.evidence(package, "performance", {**values, "beside": other})
        for package, values, other in zip(sampled, found.values, beside, strict=True)
    ]


def sampling_for(specs: list[GateSpec]) -> Sampling:
    """Give how long to sample for some gates: as their margins need."""
    alpha, margins = ALPHA, dict[str, float]()
    for spec in specs:
        relative = compared(spec)
        alpha = min(alpha, ALPHA / max(1, len(relative)))
        for name, margin in relative.items():
            if name in RELATIVE and name != "cold_start":
                margins[name] = min(margin, margins.get(name, margin))
    starts = _STARTS if any("cold_start" in compared(spec) for spec in specs) else 0
    return Sampling(margins=margins, alpha=alpha, most=_MOST_SECONDS, starts=starts)


def perform(_: Path, __: Path, arguments: dict[str, Any], ___: object) -> Performed:
    """Sample packages on the latest test rows, as a child; the live one only if it takes the same rows."""
    tested = pl.read_parquet(arguments["test"])
    sampling = msgspec.convert(arguments["sampling"], Sampling)
    contenders, alone = [], ""
    for package, folder in msgspec.convert(arguments["packages"], list[tuple[Digest, Path]]):
        fields = [field.name for field in read_contract(PackageReader(folder, package)).request.fields]
        if absent := [name for name in fields if name not in tested.columns]:
            alone = f"it asks for {', '.join(absent)}"
            continue
        rows = tested.select(fields).tail(_ROWS).rows(named=True)
        contenders.append(Contender(package=package, folder=folder, rows=[_plain(row) for row in rows]))
    return Performed(values=sample(contenders, sampling), alone=alone)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
