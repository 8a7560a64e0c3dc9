"""Training sets, and packages of what was fitted on them, from the deliveries of `tests/making/projects.py`."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

import lockgate as lg
from lockgate.kernel.canonical import canonical, sha256
from lockgate.packages.folder import pack
from lockgate.packages.runtime import (
    CONTRACT,
    MODEL,
    REFERENCE,
    LoadedPackage,
    load_package,
)
from lockgate.records.features import Code, FieldKind, OutcomeSpec, TrainingSet
from lockgate.records.package import Contract
from lockgate.snapshots.take import write_rows
from lockgate.training.assemble import Rows, assemble, known_until
from lockgate.training.fit import FitResult, fit
from lockgate.training.seeds import travelling
from tests.making.projects import blueprint, bound

__all__ = ["MINUTES", "Made", "make", "packed"]

MINUTES = msgspec.structs.replace(
    blueprint().outcome,
    returns=FieldKind.FLOAT,
    code=Code(name="late", source="def late(minutes):\n    return minutes"),
)
"""The outcome as a number: how many minutes it took."""


class Made(msgspec.Struct, frozen=True):
    """A training set and its rows."""

    record: TrainingSet
    train: pl.DataFrame
    test: pl.DataFrame


def make(
    rows: Rows,
    folder: Path,
    *,
    test: timedelta = timedelta(days=3),
    outcome: OutcomeSpec | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Made:
    """Assemble a training set and read its files."""
    folder.mkdir(parents=True, exist_ok=True)
    record = assemble(
        request=blueprint().request,
        features=bound(),
        outcome=outcome or blueprint().outcome,
        test=test,
        rows=rows,
        snapshots={name: sha256(name.encode()) for name in rows},
        folder=folder,
        write=write_rows,
        watch=lambda *_, **__: None,
        progress=progress,
    )
    return Made(record, pl.read_parquet(folder / "train.parquet"), pl.read_parquet(folder / "test.parquet"))


def fitting(training: lg.TrainingSet, parameters: lg.Parameters) -> lg.Fitted:
    """Fit as a user would."""
    kind = HistGradientBoostingRegressor if parameters["task"] == "regression" else HistGradientBoostingClassifier
    model = kind(max_iter=10, random_state=0, categorical_features=list(training.categorical))
    return lg.fitted(model.fit(training.x, training.y), rows=len(training.y))


def packed(made: Made, rows: Rows, folder: Path, *, task: str = "binary") -> tuple[LoadedPackage, FitResult]:
    """Fit, pack and load, as the line does."""
    spec = msgspec.structs.replace(blueprint().model, task=task, parameters={"task": task})
    result = fit(spec, bound(), fitting, made.train, made.test)
    contract = Contract(
        request=blueprint().request,
        features=bound(),
        sources=(blueprint().source("traffic"),),
        vocabulary=made.record.vocabulary,
        outcome=MINUTES if task == "regression" else blueprint().outcome,
        task=task,
        threshold=spec.threshold,
    )
    files = {CONTRACT: canonical(contract), MODEL: result.model.data, REFERENCE: canonical(result.reference)}
    files |= travelling(blueprint().request, bound(), rows, known_until(rows))
    rest: dict[str, Any] = dict.fromkeys(("training_set", "code", "environment"), sha256(b""))
    digest, _ = pack(folder, files, project="deliveries", format=result.format, parameters={}, **rest)
    return load_package(folder, digest), result
