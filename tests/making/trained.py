"""The project of `projects`, walked as far as a fitted model and a package; each part is made once."""

from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from lockgate.kernel.canonical import Digest, canonical, sha256
from lockgate.packages.folder import pack
from lockgate.packages.runtime import CONTRACT, MODEL, REFERENCE, LoadedPackage, load_package
from lockgate.project.load import function_of
from lockgate.records.features import TrainingSet
from lockgate.records.package import Contract
from lockgate.snapshots.take import write_rows
from lockgate.training.assemble import Rows, assemble, known_until
from lockgate.training.fit import FitResult, fit
from lockgate.training.seeds import travelling
from tests.making.projects import blueprint, bound, history, traceless, write_project

__all__ = ["Assembled", "assembled", "contract", "fitted", "fitting_function", "loaded", "make_set", "pack_fitted"]

Assembled = tuple[TrainingSet, pl.DataFrame, pl.DataFrame]
"""A training set, its training rows and its test rows."""


def make_set(rows: Rows, folder: Path, **changed: Any) -> Assembled:  # noqa: ANN401 - arguments of `assemble`
    """Make a training set of some rows."""
    found = assemble(
        **{
            "request": blueprint().request,
            "features": bound(),
            "outcome": blueprint().outcome,
            "test": timedelta(seconds=blueprint().model.test_seconds),
            "rows": rows,
            "snapshots": {name: sha256(name.encode()) for name in rows},
            "folder": folder,
            "write": write_rows,
            "watch": lambda *_, **__: None,
            "progress": lambda _: None,
            **changed,
        }
    )
    return found, pl.read_parquet(folder / "train.parquet"), pl.read_parquet(folder / "test.parquet")


@cache
def assembled() -> Assembled:
    """Make the training set of `history`."""
    with TemporaryDirectory() as folder:
        return make_set(history(), Path(folder))


@cache
def fitting_function() -> Callable[..., Any]:
    """Give the project's fitting function."""
    with TemporaryDirectory() as folder, traceless():
        write_project(Path(folder))
        return function_of(Path(folder), blueprint().model.function)


@cache
def fitted() -> FitResult:
    """Fit the project's model."""
    _, train, tested = assembled()
    return fit(blueprint().model, bound(), fitting_function(), train, tested)


def contract() -> Contract:
    """Give the contract of its package."""
    return Contract(
        request=blueprint().request,
        features=bound(),
        sources=(blueprint().source("traffic"),),
        vocabulary=assembled()[0].vocabulary,
        outcome=blueprint().outcome,
        task=blueprint().model.task,
        threshold=blueprint().model.threshold,
    )


def pack_fitted(folder: Path) -> Digest:
    """Pack the fitted model."""
    rows = history()
    files = {
        CONTRACT: canonical(contract()),
        MODEL: fitted().model.data,
        REFERENCE: canonical(fitted().reference),
    }
    files |= travelling(blueprint().request, bound(), rows, known_until(rows))
    nothing = sha256(b"")
    digest, _ = pack(
        folder,
        files,
        project="deliveries",
        format=fitted().format,
        training_set=nothing,
        code=nothing,
        environment=nothing,
        parameters=blueprint().model.parameters,
    )
    return digest


@cache
def loaded() -> LoadedPackage:
    """Load the package."""
    with TemporaryDirectory() as folder:
        return load_package(Path(folder), pack_fitted(Path(folder)))
