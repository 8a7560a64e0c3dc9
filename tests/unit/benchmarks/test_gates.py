"""The benchmarks of loading and of runtimes run, with small sizes, so that they cannot rot; times mean nothing here."""

import json
from pathlib import Path

import pytest

from benchmarks.gates import __main__ as gates
from benchmarks.gates import loading, performance, runtimes


def test_a_load_that_believes_nothing_stands_beside_one_that_believes_all() -> None:
    figures = loading.measure(rows=400, trees=3, rounds=1)

    assert [figure.name for figure in figures if figure.goal] == [
        f"load with verification / bare load, {what}"
        for what in (
            "boosting by scikit-learn",
            "a forest by scikit-learn",
            "LightGBM",
            "boosting by scikit-learn, answered by GTIL",
        )
    ]
    assert all(figure.value for figure in figures)


def test_the_faster_runtime_answers_the_same_at_any_size() -> None:
    figures = runtimes.measure(rows=400, trees=3, rounds=1)

    answers = [figure for figure in figures if "one row" not in figure.name]
    assert len(answers) == 4
    assert all(figure.met for figure in answers)


@pytest.mark.slow
def test_what_is_planted_is_planted_in_what_runs() -> None:
    figures = performance.measure(trials=1, rounds=100, burn=False)

    assert [figure.name.partition(":")[0] for figure in figures] == ["refused"] * 4 + ["a trial, the longest"]
    assert all("1; 95 % interval" in figure.note for figure in figures[:4])
    assert figures[3].value == 1.0


def test_one_part_is_measured_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gates.PARTS, "runtimes", lambda: runtimes.measure(rows=400, trees=3, rounds=1))
    path = tmp_path / "gates.json"

    gates.main(["--only", "runtimes", "--json", str(path)])

    names = [figure["name"] for figure in json.loads(path.read_text(encoding="utf-8"))["figures"]]
    assert "decisions flipped, a forest" in names
