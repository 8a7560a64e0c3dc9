"""What a child does that samples packages on test rows."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from lockgate.engine.sampling import Contender, Sampling, sample
from lockgate.kernel.canonical import Digest
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import read_contract

__all__ = ["Performed", "perform"]

_ROWS = 256


class Performed(msgspec.Struct, kw_only=True):
    """What each package took: the one that is judged, and the live one."""

    values: list[dict[str, Any]]
    # Why the live one was not sampled; empty where it was, or was not asked for.
    alone: str = ""


def perform(_: Path, __: Path, arguments: dict[str, Any], ___: object) -> Performed:
    """Sample packages on the latest test rows, as a child; the live one only if it takes the same rows."""
    tested = pl.read_parquet(arguments["test"])
    sampling = msgspec.convert(arguments["sampling"], Sampling)
    contenders, alone = [], ""
    for package, path in msgspec.convert(arguments["packages"], list[tuple[Digest, str]]):
        folder = Path(path)
        fields = [field.name for field in read_contract(PackageReader(folder, package)).request.fields]
        if absent := [name for name in fields if name not in tested.columns]:
            alone = f"it asks for {', '.join(absent)}"
            continue
        rows = tested.select(fields).tail(_ROWS).rows(named=True)
        contenders.append(Contender(package=package, folder=folder, rows=[_plain(row) for row in rows]))
    return Performed(values=sample(contenders, sampling), alone=alone)


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
