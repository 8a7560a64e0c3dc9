"""The exam that every format sits: the ones of this package, and whatever anybody writes to the Protocol."""
# ruff: noqa: S101 - an exam asserts, and says what it expects where it expects it

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid, LockgateError
from lockgate.packages.formats.protocol import Format, Stored
from lockgate.testing.exams import Questions

__all__ = ["FormatCase", "format_exam"]


class FormatCase(msgspec.Struct, frozen=True, kw_only=True):
    """A fitted model, and the format that is to store it."""

    # The format, and where another process finds it: `module:name`.
    form: Format
    found_at: str
    # A fitted object, of which `task` it is, and rows to ask it (rows, columns); some hold NaN.
    model: Any
    task: str
    x: NDArray[np.float64]
    # What the object answers by its own library, (rows,).
    answers: NDArray[np.float64]


_QUESTIONS = Questions[FormatCase]()
_MEMORY = 2 << 30
_SECONDS = 60
_LOADS_FOREIGN_BYTES = """
import resource, sys, importlib
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[3]),) * 2)
from lockgate.packages.formats.protocol import Stored
module, _, name = sys.argv[1].partition(":")
form = getattr(importlib.import_module(module), name)
data, code = (bytes.fromhex(part) for part in sys.stdin.read().split("-"))
try:
    form.load(Stored(data, code), sys.argv[2])
    print("loaded")
except Exception as error:
    print(type(error).__name__)
"""


def format_exam(make: Callable[[], FormatCase]) -> list[tuple[str, Callable[[], None]]]:
    """Give the exam: each sentence, with the function that raises AssertionError where it does not hold.

    Args:
        make: fits a model, the same each time; it is called for every question.
    """
    return [(sentence, partial(_sit, question, make)) for sentence, question in _QUESTIONS]


def _sit(question: Callable[[FormatCase], None], make: Callable[[], FormatCase]) -> None:
    question(make())


@_QUESTIONS.ask("it takes its model, and nothing else")
def _takes(case: FormatCase) -> None:
    assert case.form.takes(case.model)
    for other in (None, [], "model", case.x, object(), dict, len):
        assert not case.form.takes(other), other


@_QUESTIONS.ask("what was loaded answers bit for bit as the object does, and as its library does")
def _answers(case: FormatCase) -> None:
    here = case.form.scorer(case.model, case.task).score(case.x)
    loaded = case.form.load(case.form.dump(case.model), case.task).score(case.x)
    assert here.dtype == loaded.dtype == np.float64
    assert here.shape == loaded.shape == (len(case.x),)
    assert here.tolist() == loaded.tolist()
    np.testing.assert_allclose(loaded, case.answers, rtol=1e-6, atol=0)


@_QUESTIONS.ask("rows are answered one by one as they are together")
def _one_by_one(case: FormatCase) -> None:
    scorer = case.form.load(case.form.dump(case.model), case.task)
    alone = [scorer.score(case.x[i : i + 1])[0] for i in range(len(case.x))]
    np.testing.assert_allclose(alone, scorer.score(case.x), rtol=1e-6, atol=1e-9)


@_QUESTIONS.ask("the same model gives the same bytes")
def _same_bytes(case: FormatCase) -> None:
    first = case.form.dump(case.model)
    assert first == case.form.dump(case.model)
    assert first.data or first.code


@_QUESTIONS.ask("rows of another width are refused")
def _width(case: FormatCase) -> None:
    scorer = case.form.load(case.form.dump(case.model), case.task)
    for x in (case.x[:, :-1], np.hstack([case.x, case.x])):
        try:
            given = scorer.score(x)
        except Exception:  # noqa: BLE001, S112 - each library has its own; LoadedPackage makes one of them
            continue
        raise AssertionError(f"{x.shape[1]} columns were answered: {given[:3]}")


@_QUESTIONS.ask("bytes that are none of its own are refused, and end their own process at worst")
def _foreign_bytes(case: FormatCase) -> None:
    stored = case.form.dump(case.model)
    half = Stored(stored.data[: len(stored.data) // 2], stored.code[: len(stored.code) // 2])
    for foreign in (Stored(b""), Stored(b"\x80\x04N.", b"null"), Stored(b"\x00" * 64, b"{}")):
        try:
            case.form.load(foreign, case.task)
        except Invalid:
            continue
        raise AssertionError(f"{foreign} was loaded")
    # A length in half a file can ask for all the memory there is, or be counted to.
    said = _load_elsewhere(case, half)
    assert said == "Invalid" or said.startswith("ended"), said


def _load_elsewhere(case: FormatCase, foreign: Stored) -> str:
    """Load bytes in a process with bounds; give the error's name, or how the process ended."""
    program = [sys.executable, "-c", _LOADS_FOREIGN_BYTES, case.found_at, case.task, str(_MEMORY)]
    given = f"{foreign.data.hex()}-{foreign.code.hex()}\n"
    try:
        child = subprocess.run(program, input=given, capture_output=True, text=True, check=False, timeout=_SECONDS)  # noqa: S603 - our own program
    except subprocess.TimeoutExpired:
        return "ended late"
    return (
        f"ended by signal {-child.returncode}" if child.returncode < 0 else child.stdout.strip() or child.stderr[-300:]
    )


@_QUESTIONS.ask("a model of another task is refused, or never answers with more than its own numbers")
def _other_task(case: FormatCase) -> None:
    other = "regression" if case.task == "binary" else "binary"
    try:
        scores = case.form.load(case.form.dump(case.model), other).score(case.x)
    except (LockgateError, AttributeError):
        return
    assert scores.shape == (len(case.x),)
