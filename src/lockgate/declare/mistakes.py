"""Mistakes in a project file: noted as they are met, reported all together.

While a project file is being loaded a list collects; a declaration that can't be taken gives back a `Stand-in`, so that
the file goes on loading and the rest of its mistakes show too. Outside of loading the first mistake is raised at once.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar, cast

from lockgate.kernel.errors import Fault, Invalid
from lockgate.kernel.names import nearest

__all__ = ["StandIn", "collecting", "declaration", "note", "where"]

P = ParamSpec("P")
R = TypeVar("R")

_ROOM = __name__.rpartition(".")[0]
_collected: list[list[Fault]] = []


class StandIn:
    """Takes the place of a declaration that could not be taken: accepts everything, means nothing."""

    def __call__(self, *given: Any, **_: Any) -> Any:  # noqa: ANN401 - stands in for anything
        """Be a decorator, too: give back what is decorated."""
        return given[0] if len(given) == 1 and callable(given[0]) else self

    def __getattr__(self, name: str) -> "StandIn":
        """Have every method."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __getitem__(self, name: object) -> "StandIn":
        """Have every column."""
        return self


@contextmanager
def collecting() -> Iterator[list[Fault]]:
    """Collect mistakes instead of raising the first."""
    faults: list[Fault] = []
    _collected.append(faults)
    try:
        yield faults
    finally:
        _collected.pop()


def note(at: str, *, expected: str, found: str, hint: str = "") -> None:
    """Note a mistake.

    Raises:
        Invalid: nobody collects.
    """
    fault = Fault(at=at, expected=expected, found=found, hint=hint)
    if not _collected:
        msg = "This project file has a mistake"
        raise Invalid(msg, faults=(fault,))
    _collected[-1].append(fault)


def where() -> str:
    """Give `file:line` of the user's statement that is being carried out."""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way to see the caller
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(_ROOM):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def declaration(function: Callable[P, R]) -> Callable[P, R]:
    """Make a call with wrong arguments a noted mistake, with the nearest right name, instead of a TypeError."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def declared(*given: P.args, **options: P.kwargs) -> R:
        try:
            signature.bind(*given, **options)
        except TypeError as error:
            _note_call(function.__name__, signature, set(options), str(error))
            return cast("R", StandIn())
        return function(*given, **options)

    return declared


def _note_call(name: str, signature: inspect.Signature, options: set[str], complaint: str) -> None:
    known = [text for text in signature.parameters if text != "self"]
    for option in sorted(options - set(known)):
        note(where(), expected=f"{name}() to be given {', '.join(known)}", found=option, hint=nearest(option, known))
    if not options - set(known):
        note(where(), expected=f"{name}({', '.join(known)})", found=complaint)
