"""Describes a package for people, from its manifest and its contract. Each is compared with its digest before."""

import msgspec

from lockgate.kernel.canonical import Digest
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import read_contract
from lockgate.records.features import Field
from lockgate.records.package import Package

__all__ = ["Described", "describe"]


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a package is, and what it answers."""

    # Its id, and its manifest.
    package: Digest
    manifest: Package
    # How many bytes its files have.
    bytes: int
    # What it is asked, and by which fields it is told apart and placed in time.
    fields: tuple[Field, ...]
    key: str
    asked_at: str
    # The columns that the model sees.
    columns: tuple[str, ...]
    # The sources that it looks up or aggregates.
    sources: tuple[str, ...]
    # What it foresees.
    outcome: str
    task: str
    threshold: float


def describe(reader: PackageReader) -> Described:
    """Describe a package.

    Raises:
        NotFound, Corrupt, Malformed: as `read_contract`.
    """
    contract = read_contract(reader)
    features = contract.features
    return Described(
        package=reader.digest,
        manifest=reader.package,
        bytes=sum(file.bytes for file in reader.package.files),
        fields=contract.request.fields,
        key=contract.request.key,
        asked_at=contract.request.asked_at,
        columns=tuple(column.name for column in features.columns),
        sources=tuple(sorted({*(one.source for one in features.lookups), *(one.source for one in features.windows)})),
        outcome=contract.outcome.name,
        task=contract.task,
        threshold=contract.threshold,
    )
