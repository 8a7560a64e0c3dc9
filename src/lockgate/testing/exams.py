"""What an exam is: sentences about a thing, each with the question that finds out whether it holds.

An exam is plain data, so any test runner can sit it. With pytest:

    @pytest.mark.parametrize(("sentence", "question"), ledger_exam(MyLedger))
    def test_my_ledger(sentence, question):
        question()
"""
# ruff: noqa: S101 - an exam asserts

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from lockgate.kernel.errors import LockgateError

__all__ = ["Questions", "Refusal", "refuses"]

T = TypeVar("T")


class Questions(Generic[T]):
    """The questions of an exam, in order, by sentence."""

    def __init__(self) -> None:
        self._by_sentence: dict[str, Callable[[T], None]] = {}

    def ask(self, sentence: str) -> Callable[[Callable[[T], None]], Callable[[T], None]]:
        """Add a question under its sentence; a decorator."""
        assert sentence not in self._by_sentence, f"asked twice: {sentence}"

        def add(question: Callable[[T], None]) -> Callable[[T], None]:
            self._by_sentence[sentence] = question
            return question

        return add

    def __iter__(self) -> Iterator[tuple[str, Callable[[T], None]]]:
        """Go through sentences and questions."""
        return iter(self._by_sentence.items())


class Refusal:
    """What `refuses` caught."""

    def __init__(self) -> None:
        self._error: LockgateError | None = None

    @property
    def error(self) -> LockgateError:
        """The error, once the block is left."""
        assert self._error is not None, "nothing was refused yet"
        return self._error

    def hold(self, error: LockgateError) -> None:
        """Keep an error."""
        self._error = error


@contextmanager
def refuses(kind: type[LockgateError]) -> Iterator[Refusal]:
    """Hold that the block is refused, with this kind of error."""
    refusal = Refusal()
    try:
        yield refusal
    except kind as error:
        refusal.hold(error)
    else:
        message = f"nothing was refused, where {kind.__name__} was due"
        raise AssertionError(message)
