"""A fitting function tells of itself: numbers, files and tags, the same in a line, in a notebook and in a test."""

import copy
import math
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

import lockgate as lg
from lockgate.kernel.errors import Invalid, LockgateError, NotFound, TooLarge


def points(run: lg.Run, name: str) -> list[tuple[int, float]]:
    return [(point.step, point.value) for point in run.metrics[name]]


def test_a_training_set_that_somebody_makes_has_a_run_in_memory() -> None:
    training = lg.TrainingSet(x=np.zeros((2, 1)), y=np.zeros(2), columns=("a",), categorical=(False,))
    training.run.log(step=3, loss=0.31, auc=0.74)
    training.run.keep("note.txt", b"hello")
    training.run.tag(team="operations")

    assert points(training.run, "loss") == [(3, 0.31)]
    assert training.run.read("note.txt") == b"hello"
    assert training.run.artifacts == {"note.txt": 5}
    assert training.run.tags == {"team": "operations"}


def test_each_training_set_has_a_run_of_its_own() -> None:
    one, other = (lg.TrainingSet(x=np.zeros((2, 1)), y=np.zeros(2), columns=(), categorical=()) for _ in range(2))
    one.run.log(loss=1)

    assert other.run.metrics == {}


def test_each_metric_counts_its_own_steps_where_none_is_named() -> None:
    run = lg.Run()
    run.log(loss=0.5)
    run.log(loss=0.4, auc=0.7)
    run.log({"valid/auc": 0.6}, auc=0.8)

    assert points(run, "loss") == [(0, 0.5), (1, 0.4)]
    assert points(run, "auc") == [(0, 0.7), (1, 0.8)]
    assert points(run, "valid/auc") == [(0, 0.6)]


def test_points_say_how_long_the_run_had_gone() -> None:
    moments = iter([0.25, 1.5])
    run = lg.Run(elapsed=lambda: next(moments))
    run.log(loss=1)
    run.log(loss=2)

    assert [point.seconds for point in run.metrics["loss"]] == [0.25, 1.5]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_kept_as_it_is(value: float) -> None:
    run = lg.Run()
    run.log(loss=value)
    (point,) = run.metrics["loss"]

    assert point.value == value or (math.isnan(point.value) and math.isnan(value))


@pytest.mark.parametrize("value", [1, True, np.float32(0.5), np.int64(3), np.array(0.5)], ids=repr)
def test_whatever_is_a_number_is_logged_as_a_float(value: Any) -> None:  # noqa: ANN401 - numbers of all kinds
    run = lg.Run()
    run.log(loss=value)

    assert points(run, "loss") == [(0, float(value))]


def test_a_file_is_copied_and_a_later_one_of_its_name_replaces_it(tmp_path: Path) -> None:
    run, file = lg.Run(), tmp_path / "trees.txt"
    file.write_bytes(b"first")
    run.keep("trees.txt", file)
    file.write_bytes(b"second")

    assert run.read("trees.txt") == b"first"

    run.keep("trees.txt", file)

    assert run.read("trees.txt") == b"second"


def test_logging_nothing_is_nothing() -> None:
    run = lg.Run()
    run.log({})

    assert run.metrics == {}


REFUSED: dict[str, tuple[Callable[[lg.Run], None], type[LockgateError], str]] = {
    "a text for a number": (lambda run: run.log(loss=cast("Any", "0.3")), Invalid, "loss is no number to log"),
    "a list for a number": (lambda run: run.log(loss=cast("Any", [1])), Invalid, "loss is no number to log"),
    "a number too large for a float": (lambda run: run.log(loss=10**400), Invalid, "loss is no number to log"),
    "several numbers at once": (lambda run: run.log(loss=cast("Any", np.zeros(2))), Invalid, "no number to log"),
    "half a step": (lambda run: run.log(step=cast("Any", 0.5), loss=1), Invalid, "no step to log at"),
    "a truth for a step": (lambda run: run.log(step=True, loss=1), Invalid, "no step to log at"),
    "a step too far": (lambda run: run.log(step=2**53, loss=1), Invalid, "below 2\\*\\*53"),
    "an empty name": (lambda run: run.log({"": 1}), Invalid, "no name of a metric"),
    "a name that a terminal would act on": (lambda run: run.log({"a\x1b[2J": 1}), Invalid, "no name of a metric"),
    "a name that is too long": (lambda run: run.log({"a" * 251: 1}), Invalid, "250 characters"),
    "a number for a name": (lambda run: run.log(cast("Any", {1: 1})), Invalid, "no name of a metric"),
    "a way out of the folder": (lambda run: run.keep("a/../../b", b""), Invalid, "no name of a file"),
    "an absolute path": (lambda run: run.keep("/etc/passwd", b""), Invalid, "no name of a file"),
    "a text for a file": (lambda run: run.keep("a", cast("Any", "b")), Invalid, "text.encode"),
    "a file that is not there": (lambda run: run.keep("a", Path("/nowhere")), Invalid, "FileNotFoundError"),
    "a folder for a file": (lambda run: run.keep("a", Path("/")), Invalid, "IsADirectoryError"),
    "a number for a tag": (lambda run: run.tag(folds=cast("Any", 5)), Invalid, "folds=str"),
    "a tag that is too long": (lambda run: run.tag(a="b" * 5_001), TooLarge, "5,000 at most, found 5,001"),
    "too many tags": (lambda run: run.tag({f"t{n}": "" for n in range(101)}), TooLarge, "100 at most, found 101"),
    "too many metrics": (lambda run: run.log({f"m{n}": 1 for n in range(501)}), TooLarge, "500 at most, found 501"),
    "a file that is too long": (lambda run: run.keep("a", bytes((64 << 20) + 1)), TooLarge, "bytes in a file"),
}


@pytest.mark.parametrize(("tell", "kind", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_a_run_does_not_take_is_refused_and_leaves_nothing(
    tell: Callable[[lg.Run], None], kind: type[LockgateError], said: str
) -> None:
    run = lg.Run()
    with pytest.raises(kind, match=said):
        tell(run)

    assert (run.metrics, run.artifacts, run.tags) == ({}, {}, {})


def test_points_are_bounded_and_those_before_the_bound_stay() -> None:
    run = lg.Run()
    for step in range(200):
        run.log({f"m{number}": step for number in range(500)})
    with pytest.raises(TooLarge, match=r"100,000 at most, found 100,001.*every tenth step"):
        run.log(m0=1)

    assert sum(len(points) for points in run.metrics.values()) == 100_000


def test_files_are_bounded_together(tmp_path: Path) -> None:
    run, file = lg.Run(), tmp_path / "zeros"
    file.write_bytes(bytes(64 << 20))
    for name in "abcd":
        run.keep(name, file)
    with pytest.raises(TooLarge, match="bytes in files"):
        run.keep("e", b"1")
    run.keep("a", b"shorter")
    run.keep("e", b"1")

    assert run.artifacts["e"] == 1


def test_a_file_that_nobody_kept_is_not_found() -> None:
    run = lg.Run()
    run.keep("trees.txt", b"")
    with pytest.raises(NotFound, match=r"Did you mean 'trees\.txt'"):
        run.read("tree.txt")


def test_a_copy_is_the_same_run_so_that_cloned_models_go_on_logging() -> None:
    run = lg.Run()
    copy.deepcopy({"callback": run})["callback"].log(loss=1)
    copy.copy(run).log(loss=2)

    assert points(run, "loss") == [(0, 1.0), (1, 2.0)]


def test_what_goes_to_another_process_is_a_run_of_its_own_there() -> None:
    training = lg.TrainingSet(x=np.zeros((1, 1)), y=np.zeros(1), columns=("a",), categorical=(False,))
    training.run.log(loss=1)
    there = pickle.loads(pickle.dumps(training))  # noqa: S301 - our own
    there.run.log(loss=2)

    assert points(there.run, "loss") == [(0, 2.0)]
    assert points(training.run, "loss") == [(0, 1.0)]


def test_threads_may_share_it() -> None:
    run = lg.Run()

    def log() -> None:
        for _ in range(500):
            run.log(loss=1)

    threads = [threading.Thread(target=log) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [point.step for point in run.metrics["loss"]] == list(range(2_000))
