"""Features, as a user declares them: those of a project, and those that several projects share."""

from collections.abc import Callable
from typing import Any, TypeVar, overload

from lockgate.declare.mistakes import declaration, where

__all__ = ["FeatureWanted", "feature", "shared_feature"]

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "lockgate_feature"


class FeatureWanted:
    """A declared feature.

    Args:
        function: what it is.
        version: as its author counts.
        owner: who answers for it; the project's owner if empty.
        shared: whether it is no one project's.
    """

    def __init__(self, function: Callable[..., Any], version: int, *, owner: str = "", shared: bool = False) -> None:
        """Keep as declared."""
        self.function = function
        self.version = version
        self.owner = owner
        self.shared = shared
        self.where = where()

    @property
    def description(self) -> str:
        """The first line of its docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].strip()


@overload
def feature(function: F, /) -> F: ...
@overload
def feature(*, version: int = 1, owner: str = "") -> Callable[[F], F]: ...
@declaration
def feature(function: F | None = None, /, *, version: int = 1, owner: str = "") -> F | Callable[[F], F]:
    """Declare a feature that several projects share, in a module that they import.

    A project uses it by listing it in `features=[...]`, or as an input of another feature by its name. It reads request
    fields and other features by theirs. It is registered under its own name, and a version means the same everywhere.

    Args:
        function: the feature, where nothing else is to be said.
        version: raised whenever its meaning changes.
        owner: who answers for it.
    """

    def decorate(function: F) -> F:
        setattr(function, _MARK, FeatureWanted(function, version, owner=owner, shared=True))
        return function

    return decorate if function is None else decorate(function)


def shared_feature(found: object) -> FeatureWanted | None:
    """Give what `feature` declared of a function; None for anything else."""
    declared = getattr(found, _MARK, None)
    return declared if isinstance(declared, FeatureWanted) else None
