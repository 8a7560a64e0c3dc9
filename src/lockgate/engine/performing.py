"""What a child does that samples packages on test rows."""

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from lockgate.engine.sampling import Contender, Sampling, sample
from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import Failed
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
        fields = [field.name for field in read_contract(PackageReader(Path(path), package)).request.fields]
        if absent := [name for name in fields if name not in tested.columns]:
            alone = f"It asks for {', '.join(absent)}, which these rows do not have."
            continue
        rows = tested.select(fields).tail(_ROWS).rows(named=True)
        contenders.append(Contender(package=package, folder=Path(path), rows=[_plain(row) for row in rows]))
    try:
        return Performed(values=sample(contenders, sampling), alone=alone)
    except Failed as error:
        if len(contenders) == 1:
            raise
        # The live one may be what fails; ceilings need none.
        return Performed(values=sample(contenders[:1], sampling), alone=str(error))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in row.items()}
