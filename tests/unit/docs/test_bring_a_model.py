"""The page about bringing a model is right: its commands are run, in order, in a folder with what it speaks of."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import joblib  # type: ignore[import-untyped] # publishes no types
import polars as pl
import pytest

from docs import generate
from lockgate.engine.bringing.asked import ImportAsked, look_at
from lockgate.engine.bringing.job import bring_in
from lockgate.packages.brought.mlflow import FILE_OF
from lockgate.packages.brought.models import OPENERS
from lockgate.training.example import Roles
from tests.making import brought

PAGE = (generate.ROOT / "docs/how-to/bring-a-model.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if not kind for line in text.replace("\\\n", " ").splitlines()]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with all that the page speaks of."""
    folder = tmp_path_factory.mktemp("desk")
    brought.clicks().write_csv(folder / "rows.csv")
    answers = pl.Series("score", brought.trained("skops").predict_proba(brought.matrix())[:, 1])
    brought.clicks().with_columns(answers).write_csv(folder / "answered.csv")
    brought.MLFLOW["lightgbm"](folder / "churn-model")
    brought.FILES["model.onnx"](folder / "model.onnx")
    (folder / "script.py").write_text(brought.SCRIPT)
    joblib.dump(brought.trained("skops"), folder / "model.joblib")
    subprocess.run([sys.executable, "-c", PYTHON[0]], cwd=folder, check=True)
    return folder


def run(desk: Path, command: str) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == "lockgate"
    return subprocess.run(
        [sys.executable, "-m", "lockgate.cli.main", *words[1:]],
        cwd=desk,
        env={**os.environ, "LOCKGATE_STATE": str(desk / "state"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_every_command_of_the_page_does_what_it_says(desk: Path) -> None:
    assert len(COMMANDS) == 6
    for command in COMMANDS:
        if "verify" in command:
            (key,) = (desk / "state" / "trust").glob("*.pub")
            shutil.copy(key, desk / "operations.pub")
        done = run(desk, command)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        assert "is live" in done.stdout or "package export" in command or "holds" in done.stdout


def test_the_gates_of_the_page_are_taken(tmp_path: Path) -> None:
    (tmp_path / "gates.py").write_text(PYTHON[1])
    (tmp_path / "script.py").write_text(brought.SCRIPT)
    brought.clicks().write_parquet(tmp_path / "rows.parquet")
    asked = ImportAsked(
        path=f"{tmp_path}/script.py:score",
        example=str(tmp_path / "rows.parquet"),
        name="rules",
        roles=Roles(key="visitor", asked_at="seen_at", outcome="clicked"),
        task="binary",
        gates=str(tmp_path / "gates.py"),
    )
    for name, path in look_at(asked).files.items():
        (tmp_path / "scratch" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / "scratch" / name)
    found = bring_in(tmp_path, tmp_path / "scratch", {"asked": asked.plain()}, None)

    assert {"no_worse_than_live", "metric"} <= {gate.kind for gate in found.blueprint.gates}


def test_the_page_names_every_kind_that_is_taken() -> None:
    table = PAGE.partition("## What is taken")[2].partition("### Pickles")[0]
    names = {"skops": "skops", "lightgbm": "LightGBM", "xgboost": "XGBoost", "onnx": "ONNX"}

    assert set(names) == set(OPENERS)
    assert all(name in table for name in names.values())
    assert all(f"`{flavour}`" in table for flavour in FILE_OF)
