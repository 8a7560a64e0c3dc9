"""Mistakes in a project file: noted as they are met, reported all together.

While a project file is being loaded a list collects; a declaration that can't be taken gives back a `Stand-in`, so that
the file goes on loading and the rest of its mistakes show too. Outside of loading the first mistake is raised at once.
"""

import functools
import inspect
import math
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Literal, ParamSpec, TypeVar, cast

from lockgate.kernel.errors import Fault, Invalid
from lockgate.kernel.names import nearest

__all__ = ["StandIn", "collecting", "declaration", "note", "standing", "where"]

P = ParamSpec("P")
R = TypeVar("R")

_ROOM = __name__.rpartition(".")[0]
_collected: list[list[Fault]] = []
_standing: list[str] = []
_WORDS: dict[object, str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    timedelta: "a timedelta",
    Mapping: "a mapping",
    Sequence: "a list",
}


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


@contextmanager
def standing(place: str) -> Iterator[None]:
    """Have what is declared meanwhile stand at a place of a file that is no Python."""
    _standing.append(place)
    try:
        yield
    finally:
        _standing.pop()


def where() -> str:
    """Give `file:line` of the user's statement that is being carried out."""
    if _standing:
        return _standing[-1]
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
            bound = signature.bind(*given, **options).arguments
        except TypeError as error:
            _note_call(function.__name__, signature, set(options), str(error))
            return cast("R", _stand_in(function.__name__, given))
        wrong = [name for name, value in bound.items() if not _fits_parameter(function, signature, name, value)]
        for name in wrong:
            expected = f"{function.__name__}() to be given {name} as {_words(typing.get_type_hints(function)[name])}"
            note(where(), expected=expected, found=repr(bound[name])[:80])
        return cast("R", _stand_in(function.__name__, given)) if wrong else function(*given, **options)

    return declared


def _stand_in(name: str, given: tuple[Any, ...]) -> StandIn:
    """Stand in for what a call would have declared; whoever declares it does not miss it."""
    if given and isinstance(excused := getattr(given[0], "excused", None), set):
        excused.add(name)
    return StandIn()


def _fits_parameter(function: Callable[..., Any], signature: inspect.Signature, name: str, value: Any) -> bool:  # noqa: ANN401 - whatever the user gave
    wanted = typing.get_type_hints(function).get(name, Any)
    if signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
        return all(_fits(one, wanted) for one in value)
    return _fits(value, wanted)


def _fits(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - whatever the user gave, any annotation
    """Tell whether a value is of a plain type; what has its own place to be checked in, passes."""
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if isinstance(value, StandIn):
        return True
    if origin in {typing.Union, types.UnionType}:
        return any(_fits(value, one) for one in parts)
    if origin is Literal:
        return isinstance(value, str) and value in parts
    if origin is tuple:
        return isinstance(value, tuple | list) and len(value) == len(parts) and all(map(_fits, value, parts))
    return _is_plain(value, origin or wanted)


def _is_plain(value: Any, wanted: Any) -> bool:  # noqa: ANN401 - likewise
    if wanted in {int, float}:
        numbers = int if wanted is int else int | float
        return isinstance(value, numbers) and not isinstance(value, bool) and math.isfinite(value)
    if wanted is Sequence and isinstance(value, str):
        return False
    return isinstance(value, wanted) if wanted in {bool, str, timedelta, types.NoneType, Mapping, Sequence} else True


def _words(wanted: Any) -> str:  # noqa: ANN401 - any annotation
    origin, parts = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in {typing.Union, types.UnionType}:
        return " or ".join(_words(one) for one in parts if one is not types.NoneType)
    if origin is Literal:
        return " or ".join(map(repr, parts))
    if origin is tuple:
        return f"({', '.join(map(_words, parts))})"
    return _WORDS.get(origin or wanted, str(wanted))


def _note_call(name: str, signature: inspect.Signature, options: set[str], complaint: str) -> None:
    known = [text for text in signature.parameters if text != "self"]
    for option in sorted(options - set(known)):
        note(where(), expected=f"{name}() to be given {', '.join(known)}", found=option, hint=nearest(option, known))
    if not options - set(known):
        note(where(), expected=f"{name}({', '.join(known)})", found=complaint)
