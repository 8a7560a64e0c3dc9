"""What the child of a fit does: it calls the user's function, and keeps a journal of the run. Files in, files out."""

import resource
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from lockgate.declare.run import Run
from lockgate.kernel.canonical import canonical
from lockgate.kernel.folders import replace_file
from lockgate.kernel.memory import peak_memory
from lockgate.packages.runtime import CODE, MODEL, REFERENCE, TREES
from lockgate.project.load import function_of
from lockgate.records.features import FeatureSet
from lockgate.records.training import ModelSpec
from lockgate.training.fit import fit
from lockgate.training.journal import Ended, Journal

__all__ = ["Fit", "fit_model"]


class Fit(msgspec.Struct, kw_only=True):
    """A fitted model; its bytes and its reference answers are in files, under the names that they have in a package."""

    format: str
    runtime: str
    fitted: str
    seconds: float


def fit_model(folder: Path, scratch: Path, arguments: dict[str, Any], _: object) -> Fit:
    """Fit; however that ends, the journal in the scratch folder says what was told and what it took."""
    journal = Journal(scratch, msgspec.convert(arguments["began_at"], datetime))
    began = time.perf_counter()
    try:
        return _fit(folder, scratch, arguments, Run(journal))
    finally:
        used = resource.getrusage(resource.RUSAGE_SELF)
        journal.end(
            Ended(
                seconds=time.perf_counter() - began,
                cpu_seconds=used.ru_utime + used.ru_stime,
                peak_memory=peak_memory(),
            )
        )


def _fit(folder: Path, scratch: Path, arguments: dict[str, Any], run: Run) -> Fit:
    spec = msgspec.convert(arguments["model"], ModelSpec)
    features = msgspec.convert(arguments["features"], FeatureSet)
    train, tested = pl.read_parquet(arguments["train"]), pl.read_parquet(arguments["test"])
    result = fit(spec, features, function_of(folder, spec.function), train, tested, run)
    replace_file(scratch / MODEL, result.model.data)
    replace_file(scratch / CODE, result.model.code)
    replace_file(scratch / TREES, result.trees)
    replace_file(scratch / REFERENCE, canonical(result.reference))
    return Fit(format=result.format, runtime=result.runtime, fitted=result.fitted, seconds=result.seconds)
