"""Training runs, used as a user would: what a fit told of itself is kept, however it ended."""

import json
import signal
from pathlib import Path
from typing import Any

from lockgate.engine.clock import now
from lockgate.engine.installation import installation
from lockgate.kernel.canonical import parse
from lockgate.kernel.numbers import heard
from lockgate.records.training import Curves, RunState, TrainingRun
from tests.making.workshop import Workshop, wait_for


def runs(workshop: Workshop) -> list[TrainingRun]:
    """Give the runs of an installation, oldest first."""
    with installation(workshop.state, now) as where:
        return [parse(one.body, TrainingRun) for one in where.shelf.ledger.records.list("training-run")]


def check_told(workshop: Workshop, run: TrainingRun) -> None:
    """Hold a run against what the project tells before it fits."""
    assert run.tags == {"team": "tests"}
    assert (run.metrics["loss"].last, run.metrics["loss"].least, run.metrics["loss"].greatest) == (1 / 3, 1 / 3, 1.0)
    assert (run.metrics["valid/bad"].last, run.metrics["valid/bad"].least) == ("NaN", None)
    assert run.curves is not None
    with installation(workshop.state, now) as where:
        curves = parse(where.shelf.blobs.get(run.curves), Curves)
        columns = where.shelf.blobs.get(run.artifacts["about/columns.txt"].digest)
    assert curves.metrics["loss"].steps == (0, 1, 2)
    assert curves.metrics["loss"].values == (1.0, 1 / 2, 1 / 3)
    assert list(curves.metrics["loss"].seconds) == sorted(curves.metrics["loss"].seconds)
    assert columns.splitlines()[0] == b"depot"


def test_a_run_that_finished_is_kept_with_all_that_it_told(shipped: Workshop) -> None:
    (run,) = runs(shipped)
    check_told(shipped, run)

    assert run.state is RunState.FINISHED
    assert heard(run.metrics["rows"].last) > 1000
    assert run.given() == {"trees": 12}
    assert len(run.commit) == 40
    assert run.by == "local"
    assert run.began_at is not None
    assert run.cpu_seconds
    assert run.peak_memory > 1 << 20


def test_the_package_does_not_depend_on_what_was_told(shipped: Workshop) -> None:
    """Only the code does: the same walk with nothing told differs by the digest of its code alone."""
    first = manifest(shipped, shipped.first["package"])
    text = (shipped.project / "project.py").read_text()
    lines = [one for one in text.splitlines() if "training.run." not in one and "for step in range" not in one]
    (shipped.project / "project.py").write_text("\n".join(lines).replace(", rows=len(training.y)", "") + "\n")
    second = manifest(shipped, shipped.ship("--dirty")["package"])

    assert (runs(shipped)[1].metrics, runs(shipped)[1].curves) == ({}, None)
    assert first.pop("code") != second.pop("code")
    assert first == second


def manifest(workshop: Workshop, package: str) -> dict[str, Any]:
    path = workshop.state / "packages" / package.removeprefix("sha256:") / "manifest.json"
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def test_a_run_whose_process_was_killed_is_kept_with_what_it_told_until_then(shipped: Workshop) -> None:
    (shipped.data / "kill-fit").touch()
    (shipped.project / "more.py").write_text("x = 1\n")
    shipped.refused("--dirty")
    run = runs(shipped)[-1]
    check_told(shipped, run)

    assert run.state is RunState.KILLED
    assert "signal 9" in run.error
    assert (run.fitted, run.cpu_seconds) == ("", None)


def test_a_walk_that_was_killed_records_its_run_when_it_is_gone_on_with(workshop: Workshop) -> None:
    (workshop.data / "slow").touch()
    shipping = workshop.begin("ship", str(workshop.project))
    journals = Path(workshop.state / "work")
    wait_for(lambda: any(b"valid/bad" in path.read_bytes() for path in journals.glob("*/training/run.jsonl")))
    shipping.send_signal(signal.SIGKILL)
    shipping.communicate()
    (workshop.data / "slow").unlink()
    workshop.ship()
    killed, finished = runs(workshop)
    check_told(workshop, killed)

    assert (killed.state, finished.state) == (RunState.KILLED, RunState.FINISHED)
    assert killed.line == finished.line
    assert "gone before this run was recorded" in killed.error


def found(workshop: Workshop, *command: str) -> Any:  # noqa: ANN401 - JSON
    code, out, err = workshop.run("runs", *command, "--json")
    assert code == 0, err
    return json.loads(out)


def test_runs_also_failed_ones_are_listed_searched_shown_and_compared(shipped: Workshop, tmp_path: Path) -> None:
    (shipped.data / "break-fit").touch()
    text = (shipped.project / "project.py").read_text()
    (shipped.project / "project.py").write_text(text.replace('"trees": 12', '"trees": 14.0'))
    shipped.refused("--dirty")
    broken = runs(shipped)[-1]
    check_told(shipped, broken)
    assert broken.state is RunState.FAILED
    assert "ValueError: the fit is broken" in broken.error
    assert broken.dirty is True
    assert repr(broken.given()["trees"]) == "14.0"

    failed, finished = found(shipped, "list", "--model", "parcels")["runs"]

    assert [(one["state"], one["version"]) for one in (failed, finished)] == [("failed", ""), ("finished", "v1")]
    assert found(shipped, "list", "--search", "param.trees = 12 and metric.loss < 0.5")["runs"] == [finished]
    assert found(shipped, "list", "--limit", "1")["before"] is not None

    shown = found(shipped, "show", "parcels")
    assert shown["run"] == finished["run"]
    assert shown["curves"]["loss"]["values"] == [1.0, 1 / 2, 1 / 3]
    assert shown["curves"]["valid/bad"]["values"] == ["NaN"]

    compared = found(shipped, "compare", failed["run"], "parcels@v1")
    differs = {line["name"]: line["values"] for line in compared["lines"] if line["differs"]}
    assert differs["trees"] == [14.0, 12]
    assert differs["with changes"] == [True, False]
    assert "loss" not in differs

    output = tmp_path / "columns.txt"
    assert shipped.run("runs", "artifact", "parcels", "about/columns.txt", "--output", str(output))[0] == 0
    assert output.read_text().splitlines()[0] == "depot"
    for name, file in {
        "about/columns.txt": output,
        "../about/columns.txt": tmp_path / "other",
        "gone": tmp_path / "other",
    }.items():
        assert shipped.run("runs", "artifact", "parcels", name, "--output", str(file))[0] == 1
    assert not (tmp_path / "other").exists()
    code, _, err = shipped.run("runs", "list", "--search", "metric.loss <")
    assert (code, err) == (1, "This search can't be read at column 14 (expected a number, found the end).\n")
