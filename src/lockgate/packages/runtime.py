"""A loaded package: everything between a request row and its score."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.features.online import Encoder, RawFeatures, TableRows, fuse
from lockgate.features.series import Told
from lockgate.kernel.canonical import Digest, parse
from lockgate.kernel.errors import Failed, Malformed
from lockgate.packages.folder import PackageReader
from lockgate.packages.formats.protocol import Scorer, Stored, Trees
from lockgate.packages.formats.table import format_named
from lockgate.packages.formats.trees import LIBRARY, load_trees
from lockgate.records.package import Contract, Package, Reference

__all__ = [
    "CODE",
    "CONTRACT",
    "MODEL",
    "REFERENCE",
    "TREES",
    "LoadedPackage",
    "SeedRow",
    "encode_seed",
    "encode_table",
    "load_model",
    "load_package",
    "read_contract",
    "read_seeds",
    "read_trees",
]

CONTRACT = "contract.json"
MODEL = "model.bin"
CODE = "code.json"
REFERENCE = "reference.json"
TREES = "trees.bin"

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES = "tables/"
_SEEDS = "seeds/"


class SeedRow(msgspec.Struct, frozen=True, array_like=True):
    """A row that the online store begins with: the last known of a clocked source; times in microseconds."""

    key: str | int
    event_time: int
    available_time: int
    values: dict[str, Any]


class LoadedPackage:
    """A package that can answer; made by `load_package`."""

    def __init__(self, digest: Digest, package: Package, contract: Contract, scorer: Scorer) -> None:
        """Fuse the features."""
        self.digest = digest
        self.package = package
        self.contract = contract
        self.tables: dict[str, TableRows] = {}
        self.reference_result: dict[str, float] = {}
        self._scorer = scorer
        self._raw: RawFeatures = fuse(contract.request, contract.features)
        self._encoder = Encoder(contract.features, contract.vocabulary)

    def features(self, row: Sequence[Any], known: Sequence[Sequence[Any]]) -> tuple[list[float], tuple[str, ...]]:
        """Give the matrix row of a request, and which of its columns hold an unseen category.

        Args:
            row: the request's fields in contract order; times in the project's zone.
            known: the values of each look-up.
        """
        return self._encoder.encode(self._raw(row, known))

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score matrix rows (rows, columns).

        Raises:
            Failed: the model raised, or answered something that is no number.
        """
        try:
            scores = self._scorer.score(x)
        except Exception as error:
            msg = "The model failed"
            raise Failed(msg, found=f"{type(error).__name__}: {error}") from error
        if scores.shape != (len(x),) or not np.isfinite(scores).all():
            msg = "The model did not answer every row with a number"
            raise Failed(msg, expected=f"{len(x)} finite numbers", found=f"shape {scores.shape}")
        return scores

    def answer(self, score: float) -> bool | float:
        """Give what a score means."""
        return score >= self.contract.threshold if self.contract.task == "binary" else score

    def worst_difference(self, reference: Reference) -> float:
        """Give the largest difference between reference answers and what this package answers now."""
        x = np.array([[math.nan if v is None else v for v in row] for row in reference.x], dtype=np.float64)
        return float(np.abs(self.score(x) - np.array(reference.scores)).max(initial=0.0))


def load_package(folder: Path, digest: Digest) -> LoadedPackage:
    """Load a package whose id is trusted, and put its reference questions to it.

    Raises:
        NotFound, Corrupt: as `PackageReader`.
        Invalid: its format or runtime is not known here.
        Failed: it does not give its reference answers on this machine.
    """
    reader = PackageReader(folder, digest)
    contract = read_contract(reader)
    loaded = LoadedPackage(digest, reader.package, contract, _scorer(reader, contract.task))
    for file in reader.package.files:
        if file.path.startswith(_TABLES):
            rows = _unpacked(file.path, reader.read(file.path), list[tuple[str | int, tuple[Any, ...]]])
            loaded.tables[_source(file.path)] = dict(rows)
        elif file.path.startswith(_SEEDS):
            # Ingest puts them into the online store; a package that is not whole does not serve.
            reader.read(file.path)
    reference = parse(reader.read(REFERENCE), Reference)
    worst = loaded.worst_difference(reference)
    loaded.reference_result = {
        "worst_difference": worst,
        "tolerance": reference.tolerance,
        "questions": len(reference.x),
    }
    if worst > reference.tolerance:
        msg = "This package does not give its reference answers on this machine; it does not serve"
        raise Failed(msg, expected=f"differences up to {reference.tolerance:g}", found=f"{worst:g}")
    return loaded


def _scorer(reader: PackageReader, task: str) -> Scorer:
    if reader.package.runtime == LIBRARY:
        return load_model(reader, task)
    reader.read(MODEL)  # it is not needed to answer; a package that is not whole does not serve
    return load_trees(read_trees(reader))


def load_model(reader: PackageReader, task: str) -> Scorer:
    """Load the model by its own library, whoever answers for it.

    Raises:
        NotFound, Corrupt: as `PackageReader`.
        Invalid: its format is not known here, or its bytes are none of it.
    """
    form = format_named(reader.package.format)
    stored = Stored(*(reader.read(path) if reader.package.file(path) else b"" for path in (MODEL, CODE)))
    return form.load(stored, task)


def read_trees(reader: PackageReader) -> Trees:
    """Give what a faster runtime answers by.

    Raises:
        NotFound, Corrupt: as `PackageReader`.
    """
    return Trees(reader.read(TREES), reader.package.runtime)


def read_contract(reader: PackageReader) -> Contract:
    """Give what a package answers, and how.

    Raises:
        NotFound, Corrupt: as `PackageReader`.
    """
    return parse(reader.read(CONTRACT), Contract)


def read_seeds(reader: PackageReader) -> Iterator[Told]:
    """Give the rows that a package carries for the online store.

    Raises:
        NotFound, Corrupt: as `PackageReader`.
    """
    for file in reader.package.files:
        if file.path.startswith(_SEEDS):
            source = _source(file.path)
            for row in _unpacked(file.path, reader.read(file.path), list[SeedRow]):
                yield Told(source, row.key, row.event_time, row.available_time, _in_micros(row.values))


def _in_micros(values: Mapping[str, Any]) -> dict[str, Any]:
    """Give values as they are posted: times in microseconds."""
    return {
        name: (value - _EPOCH) // timedelta(microseconds=1) if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def encode_table(source: str, rows: Sequence[tuple[str | int, tuple[Any, ...]]]) -> tuple[str, bytes]:
    """Give the path and bytes of a table in a package."""
    return f"{_TABLES}{_file_name(source)}", msgspec.msgpack.encode(
        sorted(rows, key=lambda row: (str(row[0]), repr(row[0])))
    )


def encode_seed(source: str, rows: Sequence[SeedRow]) -> tuple[str, bytes]:
    """Give the path and bytes of what the online store begins with; rows in the order in which they are to be told."""
    return f"{_SEEDS}{_file_name(source)}", msgspec.msgpack.encode(list(rows), order="deterministic")


def _unpacked(path: str, data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeError) as error:
        msg = f"{path} of a package does not hold rows"
        raise Malformed(msg, found=str(error)) from error


def _file_name(source: str) -> str:
    return f"{source}.msgpack"


def _source(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".msgpack")
