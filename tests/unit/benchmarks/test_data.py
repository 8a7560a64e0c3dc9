"""The benchmark of the data side runs, with small sizes and without other products, so that it cannot rot.

Times and ratios mean nothing at these sizes; whether two answers are the same does at any size.
"""

import json
from pathlib import Path

import pytest

from benchmarks.data.__main__ import PARTS, main, measure
from benchmarks.data.sizes import LITTLE, Run
from benchmarks.harness import Figure


@pytest.fixture(scope="module", params=list(PARTS))
def figures(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Figure]:
    return measure(Run(sizes=LITTLE, folder=tmp_path_factory.mktemp("data"), peers=False), [request.param])


def test_a_part_measures_something_that_has_a_goal(figures: list[Figure]) -> None:
    assert [figure for figure in figures if figure.goal and figure.value is not None]


def test_what_must_be_right_is_right(figures: list[Figure]) -> None:
    judged = [figure for figure in figures if figure.goal == "at most 0 of them" and figure.value is not None]

    assert [figure for figure in judged if not figure.met] == []


def test_without_peers_nothing_is_claimed_about_them(figures: list[Figure]) -> None:
    beside = [figure for figure in figures if "Feast" in figure.name or "pandera" in figure.name]

    assert all(figure.value is None and not figure.met for figure in beside)


def test_one_part_is_measured_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    main(["--only", "join", "--little", "--without-peers", "--json", "join.json"])

    names = [figure["name"] for figure in json.loads(Path("join.json").read_text(encoding="utf-8"))["figures"]]
    assert names
    assert all(name.startswith("join: ") for name in names)
    assert "not measured" in capsys.readouterr().out
