"""A run is recorded once, however it ended: by its walk, or by the one that goes on with it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import lockgate as lg
from lockgate.engine.fitting import Fit
from lockgate.engine.installation import Installation
from lockgate.engine.recording import Recorder
from lockgate.engine.walk import Walk
from lockgate.kernel.canonical import parse
from lockgate.kernel.errors import Conflict, Failed
from lockgate.records.line import Line
from lockgate.records.training import RunState, TrainingRun
from lockgate.training.journal import Ended, Journal
from tests.making.projects import blueprint
from tests.making.runs import AT, RUN, run_room

FIT = Fit(format="skops/1", runtime="library", fitted="DummyClassifier", seconds=0.5)
LINE = Line(
    id="line-1",
    project="",
    folder="parcels",
    commit=RUN.commit,
    dirty=False,
    code=RUN.code,
    environment=RUN.environment,
    parameters={},
    attended=True,
    by="ada",
    at=AT,
)


@pytest.fixture
def walk(tmp_path: Path) -> Iterator[Walk]:
    with run_room(tmp_path) as where:
        lease = where.shelf.ledger.leases.acquire("line/1", owner="here/1/1", now=AT, span=timedelta(minutes=1))
        assert lease is not None
        found = Walk(where, LINE, lease)
        (found.scratch / "training").mkdir(parents=True)
        (found.scratch / "training" / "output.log").write_bytes(b"printed")
        yield found
        found.close()


def recorder(walk: Walk) -> Recorder:
    return Recorder(walk, walk.scratch / "training", "parcels", blueprint().model, RUN.training_set)


def runs(where: Installation) -> list[TrainingRun]:
    return [parse(one.body, TrainingRun) for one in where.shelf.ledger.records.list("training-run")]


def child(walk: Walk, at: datetime, *, ends: bool = True) -> Fit:
    """Do what the child of a fit does; without its end, what one does that is killed."""
    journal = Journal(walk.scratch / "training", at)
    run = lg.Run(journal, elapsed=lambda: 2.5)
    run.log(loss=0.5)
    run.keep("columns.txt", b"depot")
    if ends:
        journal.end(Ended(seconds=3.0, cpu_seconds=4.0, peak_memory=5))
    return FIT


def test_a_run_that_finished_is_recorded_with_what_it_took(walk: Walk) -> None:
    found, digest = recorder(walk).fit(lambda at: child(walk, at))
    (run,) = runs(walk.where)

    assert found == FIT
    assert walk.where.shelf.get(TrainingRun, digest) == run
    assert (run.state, run.seconds, run.cpu_seconds, run.peak_memory) == (RunState.FINISHED, 0.5, 4.0, 5)
    assert (run.line, run.by, run.began_at, run.commit) == ("line-1", "ada", AT, RUN.commit)
    assert walk.where.shelf.blobs.get(run.output) == b"printed"
    assert walk.where.shelf.blobs.get(run.artifacts["columns.txt"].digest) == b"depot"


@pytest.mark.parametrize(
    ("ends", "state", "seconds"),
    [(True, RunState.FAILED, 3.0), (False, RunState.KILLED, 0.0)],
    ids=["failed", "killed"],
)
def test_a_run_that_did_not_finish_is_recorded_and_the_walk_fails(
    walk: Walk, *, ends: bool, state: RunState, seconds: float
) -> None:
    def fails(at: datetime) -> Fit:
        child(walk, at, ends=ends)
        raise Failed("It broke", found="x" * 5_000)

    with pytest.raises(Failed, match="It broke"):
        recorder(walk).fit(fails)
    (run,) = runs(walk.where)

    assert (run.state, run.seconds) == (state, seconds)
    assert run.error.startswith("It broke (found xxx")
    assert len(run.error) == 4_000
    assert run.metrics["loss"].last == 0.5


def test_where_no_run_began_none_is_recorded(walk: Walk) -> None:
    def fails(_: datetime) -> Fit:
        raise Failed("The code was changed")

    with pytest.raises(Failed):
        recorder(walk).fit(fails)

    assert runs(walk.where) == []


def test_a_run_that_was_left_behind_is_recorded_before_the_next(walk: Walk) -> None:
    child(walk, AT - timedelta(hours=3), ends=False)
    recorder(walk).fit(lambda at: child(walk, at))
    left, finished = runs(walk.where)

    assert (left.state, left.seconds, left.began_at) == (RunState.KILLED, 2.5, AT - timedelta(hours=3))
    assert "gone before this run was recorded" in left.error
    assert finished.state is RunState.FINISHED


def test_a_run_that_was_recorded_before_its_walk_was_gone_is_not_recorded_again(walk: Walk) -> None:
    recorder(walk).fit(lambda at: child(walk, at))
    child(walk, AT)  # as if the journal had not been removed
    recorder(walk).fit(lambda at: child(walk, at + timedelta(minutes=1)))

    assert [run.state for run in runs(walk.where)] == [RunState.FINISHED, RunState.FINISHED]


def test_a_walk_that_lost_its_lease_records_nothing(walk: Walk) -> None:
    walk.where.shelf.ledger.leases.release(walk.fence)
    with pytest.raises(Conflict):
        recorder(walk).fit(lambda at: child(walk, at))

    assert runs(walk.where) == []


def test_a_walk_says_how_to_look_at_its_run(walk: Walk) -> None:
    _, digest = recorder(walk).fit(lambda at: child(walk, at))

    assert f"lockgate runs show {digest[7:19]}" in (walk.scratch / "progress.jsonl").read_text()
