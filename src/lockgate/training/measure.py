"""Measures a package on test rows, asked as an endpoint would ask it."""

import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from lockgate.features.matrix import known_columns
from lockgate.features.offline import as_served, encode_rows, raw_columns
from lockgate.kernel.errors import Invalid
from lockgate.packages.folder import PackageReader
from lockgate.packages.formats.trees import LIBRARY
from lockgate.packages.runtime import LoadedPackage, load_model, read_contract, read_trees
from lockgate.packages.runtimes import Agreement, agreement, alone
from lockgate.records.package import Contract
from lockgate.statistics.metrics import METRICS
from lockgate.training.assemble import OUTCOME, Rows

__all__ = ["check_askable", "compare_runtimes", "measure", "transform_mismatches"]


def measure(
    loaded: LoadedPackage, tested: pl.DataFrame, rows: Rows, slices: Sequence[str], *, processes: int = 1
) -> dict[str, Any]:
    """Give a package's metrics on test rows: over all, and for each value of some request fields.

    Args:
        loaded: the package; it may be another than the one the rows were made for.
        tested: the test rows of a training set.
        rows: the sources' rows, for the package's own look-ups.
        slices: request fields.
        processes: how many may compute features.

    Raises:
        Invalid: the rows do not have what the package asks for.
    """
    contract = loaded.contract
    _check_told(tested)
    check_askable(contract, tested, rows)
    frame = as_served(tested, contract.request, contract.features, rows)
    raw = raw_columns(frame, contract.request, contract.features, processes=processes)
    scores = loaded.score(encode_rows(raw, contract.features, contract.vocabulary))
    ordered = tested.sort(contract.request.asked_at, contract.request.key)
    return {
        "rows": ordered.height,
        "metrics": _metrics(contract, ordered[OUTCOME].to_numpy(), scores),
        "slices": {field: _by(contract, ordered, field, scores) for field in slices},
    }


def transform_mismatches(loaded: LoadedPackage, tested: pl.DataFrame) -> tuple[int, int]:
    """Run the package's own features over the test rows one by one, as online; give (values compared, different).

    Compared bit for bit with the matrix that training used.
    """
    contract = loaded.contract
    zone = contract.features.timezone
    times = [field.name for field in contract.request.fields if field.kind.value == "time"]
    local = tested.with_columns(pl.col(name).dt.convert_time_zone(zone) for name in times)
    fields = [field.name for field in contract.request.fields]
    columns = [f"@{column.name}" for column in contract.features.columns]
    known = [local.select(names).rows() for names in known_columns(contract.features)]
    different = 0
    for i, (row, trained) in enumerate(zip(local.select(fields).rows(), tested.select(columns).rows(), strict=True)):
        served, _ = loaded.features(row, [values[i] for values in known])
        different += sum(_bits(a) != _bits(b) for a, b in zip(served, trained, strict=True))
    return tested.height * len(columns), different


def compare_runtimes(reader: PackageReader, tested: pl.DataFrame) -> Agreement:
    """Hold the answers of whoever answers for a package against those of the model's own library."""
    contract = read_contract(reader)
    if reader.package.runtime == LIBRARY:
        return alone()
    columns = contract.features.columns
    x = tested.select(f"@{column.name}" for column in columns).to_numpy().astype(np.float64, order="C")
    sizes = {i: len(contract.vocabulary[one.name]) for i, one in enumerate(columns) if one.name in contract.vocabulary}
    library = load_model(reader, contract.task)
    return agreement(library, read_trees(reader), x, sizes, contract.threshold if contract.task == "binary" else None)


def _bits(value: float) -> bytes:
    """Give what is compared: every NaN is one, and 0 is not -0."""
    return struct.pack("<d", math.nan if math.isnan(value) else value)


def _check_told(tested: pl.DataFrame) -> None:
    if tested[OUTCOME].null_count() == tested.height:
        msg = "These rows have no outcomes"
        raise Invalid(msg, expected="what happened, for each row", found="nothing")


def check_askable(contract: Contract, tested: pl.DataFrame, rows: Rows) -> None:
    """Refuse rows that do not have what a package asks for.

    Raises:
        Invalid: with what is absent.
    """
    absent = [field.name for field in contract.request.fields if field.name not in tested.columns]
    absent += [
        f"{one.source}.{column.name}"
        for one in contract.features.lookups
        for column in one.columns
        if one.source not in rows or column.name not in rows[one.source][1].columns
    ]
    absent += [
        f"{one.source}.{column}"
        for one in contract.features.windows
        for column in (one.by, one.value)
        if column is not None and (one.source not in rows or column not in rows[one.source][1].columns)
    ]
    if absent:
        msg = "These rows can't be put to this package"
        raise Invalid(msg, expected=f"columns {', '.join(absent)}", found="rows without them")


def _metrics(contract: Contract, y: Any, scores: Any) -> dict[str, float | None]:  # noqa: ANN401 - NDArray[np.float64]
    table = METRICS[contract.task]
    return {name: metric(y.astype(np.float64), scores, contract.threshold) for name, metric in table.items()}


def _by(contract: Contract, tested: pl.DataFrame, field: str, scores: Any) -> dict[str, Any]:  # noqa: ANN401 - NDArray[np.float64]
    y = tested[OUTCOME].to_numpy()
    values = tested[field].cast(pl.String).fill_null("null").to_numpy()
    return {
        str(value): {
            "rows": int((values == value).sum()),
            "metrics": _metrics(contract, y[values == value], scores[values == value]),
        }
        for value in sorted(set(values))
    }
