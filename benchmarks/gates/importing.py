"""How long it takes to bring a model in: an MLflow folder through every gate to a live release, by the command."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.harness import Figure, at_most

__all__ = ["measure"]

_GOAL = 30.0
_COLUMNS = 20


def measure(*, rows: int = 20_000, trees: int = 100, times: int = 3) -> list[Figure]:
    """Import a LightGBM model that MLflow saved, with outcomes and a floor, into a fresh installation each time.

    Args:
        rows: of the example.
        trees: of the model.
        times: how often; the median counts.
    """
    with tempfile.TemporaryDirectory(prefix="lockgate-") as folder:
        _make(Path(folder), rows, trees)
        taken = [_import(Path(folder), turn) for turn in range(times)]
    each = ", ".join(f"{one:.1f}" for one in taken)
    note = f"LightGBM, {trees} trees, {rows:,} example rows by {_COLUMNS} columns; {each}"
    return [at_most("import of an MLflow folder, gates included", statistics.median(taken), "s", _GOAL, note)]


def _make(folder: Path, rows: int, trees: int) -> None:
    import lightgbm  # noqa: PLC0415 - only where it is measured
    import mlflow.lightgbm  # noqa: PLC0415 - likewise

    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, _COLUMNS)).round(6)
    happened = x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=rows) > 0
    names = [f"column_{place}" for place in range(_COLUMNS)]
    settings = {"objective": "binary", "verbose": -1, "num_leaves": 31}
    model = lightgbm.train(settings, lightgbm.Dataset(x, happened.astype(float), feature_name=names), trees)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.lightgbm.save_model(model, folder / "model", pip_requirements=["lightgbm"])
    pl.DataFrame(x, schema=names).with_columns(happened=pl.Series(happened)).write_parquet(folder / "rows.parquet")


def _import(folder: Path, turn: int) -> float:
    command = [sys.executable, "-m", "lockgate.cli.main", "package", "import", str(folder / "model")]
    command += ["--name", "imported", "--example", str(folder / "rows.parquet"), "--outcome", "happened"]
    command += ["--floor", "roc_auc=0.7", "--state", str(folder / f"state-{turn}"), "--json"]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    seconds = time.perf_counter() - began
    if done.returncode or json.loads(done.stdout)["level"] != "live":
        raise RuntimeError(done.stderr)
    return seconds
