import io
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.harness import (
    Figure,
    at_least,
    at_most,
    interleave,
    machine,
    main,
    not_measured,
    report,
    versions_of,
)

FIGURES = (
    Figure(name="answer", value=1.25, unit="ms", goal="at most 5 ms", met=True),
    Figure(name="ratio", value=2.0, unit="x", goal="at most 1.1", met=False),
    Figure(name="rows", value=1e6, unit="rows/s"),
)


class Turns:
    """Two callables that advance a hand-set timer, and write down whose turn it was."""

    def __init__(self) -> None:
        self.now = 0.0
        self.taken: list[str] = []

    def callable(self, name: str, seconds: list[float]) -> Callable[[], None]:
        remaining = iter(seconds)

        def run() -> None:
            self.taken.append(name)
            self.now += next(remaining)

        return run

    def timer(self) -> float:
        return self.now


def test_two_callables_take_turns_and_the_ratio_is_the_median_of_the_rounds() -> None:
    turns = Turns()
    first = turns.callable("A", [9.0, 1.0, 1.0, 4.0])
    second = turns.callable("B", [9.0, 2.0, 30.0, 12.0])

    compared = interleave(first, second, rounds=3, warmup=1, timer=turns.timer)

    assert turns.taken == ["A", "B"] * 4
    assert (compared.first, compared.second, compared.ratio) == (1.0, 12.0, 3.0)
    assert (compared.low, compared.high) == (2.0, 30.0)


def test_no_round_is_no_comparison() -> None:
    with pytest.raises(ValueError, match="expected at least one round, found 0"):
        interleave(list, list, rounds=0)


@pytest.mark.parametrize(("goal", "met"), [("at most 1", None), (None, True)])
def test_a_goal_and_its_judgement_belong_together(goal: str | None, met: bool | None) -> None:
    with pytest.raises(ValueError, match="Give both or neither"):
        Figure(name="answer", value=1.0, unit="ms", goal=goal, met=met)


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (at_most("time", 5.0, "µs", 5), True),
        (at_most("time", 5.1, "µs", 5), False),
        (at_least("pace", 2.0, "rows/s", 2), True),
        (at_least("pace", 1.9, "rows/s", 2), False),
        (not_measured("memory", "x", "at most 0.1 x", "without peers"), False),
    ],
)
def test_a_figure_is_judged_by_its_goal(figure: Figure, met: bool) -> None:
    assert figure.met is met
    assert figure.goal


@pytest.mark.parametrize(("met", "note"), [(True, "without peers"), (False, "")])
def test_what_was_not_measured_meets_nothing_and_says_why(met: bool, note: str) -> None:
    with pytest.raises(ValueError, match="it meets nothing and its note says why"):
        Figure(name="memory", value=None, unit="x", goal="at most 0.1 x", met=met, note=note)


def test_a_figure_that_was_not_measured_is_shown_as_such(tmp_path: Path) -> None:
    shown = io.StringIO()
    path = tmp_path / "answers.json"

    report([not_measured("memory", "x", "at most 0.1 x", "no peer")], {}, path, console=Console(file=shown, width=120))

    assert "not measured" in shown.getvalue()
    assert "no peer" in shown.getvalue()
    assert json.loads(path.read_text(encoding="utf-8"))["figures"][0]["value"] is None


def test_a_report_is_a_table_and_a_document(tmp_path: Path) -> None:
    shown = io.StringIO()
    path = tmp_path / "build" / "bench" / "answers.json"

    report(FIGURES, {"numpy": "2.4"}, path, console=Console(file=shown, width=100))

    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["figures"] == [asdict(figure) for figure in FIGURES]
    assert document["machine"] == machine()
    assert document["versions"] == {"numpy": "2.4"}
    assert "at most 5 ms" in shown.getvalue()
    assert "NO" in shown.getvalue()


def test_a_machine_says_what_it_is() -> None:
    described = machine()

    assert list(described) == ["cpu", "cores", "memory_gib", "os", "python"]
    assert all(described.values())


def test_a_benchmark_is_run_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "answers.json"

    main(lambda: FIGURES, description="Answers.", packages=("numpy",), arguments=["--json", str(path)])

    assert json.loads(path.read_text(encoding="utf-8"))["versions"] == versions_of("numpy")
    assert "answer" in capsys.readouterr().out


def test_without_a_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    main(lambda: FIGURES, description="Answers.", packages=(), arguments=[])

    assert list(tmp_path.iterdir()) == []
