"""Loads a project file: runs it once, in this process, and finds its one `Project`.

The process that calls this runs the user's code. It should hold no key and no ledger.
"""

import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockgate.declare.mistakes import collecting, note
from lockgate.declare.project import Project
from lockgate.kernel.errors import Fault, Invalid
from lockgate.project.compile import Compiled, compile_project

__all__ = ["FILE", "function_of", "load"]

FILE = "project.py"
"""The name of a project's file, in its folder."""


def load(folder: Path) -> Compiled:
    """Load and compile the project in a folder.

    Raises:
        Invalid: with a fault for every mistake, each with `file:line`, what was expected and the nearest right name.
    """
    with collecting() as faults:
        project = _run(folder, faults)
        compiled = None if project is None else compile_project(project)
    if faults or compiled is None:
        count = f"{len(faults)} mistake{'s' if len(faults) != 1 else ''}"
        msg = f"The project in {folder} has {count}; nothing was done"
        raise Invalid(msg, faults=tuple(_shorten(fault, folder) for fault in faults))
    return Compiled(
        blueprint=compiled.blueprint, places={name: _inside(at, folder) for name, at in compiled.places.items()}
    )


def function_of(folder: Path, function: str) -> Callable[..., Any]:
    """Give a function of a project by `module:qualname`, for a child that is to call it."""
    module, _, name = function.partition(":")
    if module == Path(FILE).stem:
        _import_file(folder / FILE)
    else:
        _reach(folder)
        importlib.import_module(module)
    found: Any = sys.modules[module]
    for part in name.split("."):
        found = getattr(found, part)
    if not callable(found):
        msg = f"{function} is no function"
        raise Invalid(msg)
    return found  # type: ignore[no-any-return]


def _run(folder: Path, faults: list[Fault]) -> Project | None:
    path = folder / FILE
    if not path.is_file():
        note(str(path), expected=f"a project file named {FILE}", found="no such file", hint=_other_projects(folder))
        return None
    try:
        module, ended = _import_file(path), True
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the user's file may raise anything; it is reported
        _note_raised(path, error, faults)
        module, ended = sys.modules.get(path.stem), False
    projects = [value for value in vars(module or object).values() if isinstance(value, Project)] if module else []
    if len({id(project) for project in projects}) == 1:
        if not ended:
            # What would have come after it is not missing.
            projects[0].excused |= {"request", "outcome", "model"}
        return projects[0]
    if not faults:
        note(f"{path}:1", expected="one lockgate.Project", found=f"{len(projects)} of them")
    return None


def _import_file(path: Path) -> Any:  # noqa: ANN401 - a module of the user's
    _reach(path.parent)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # noqa: S101 - a path that ends in .py always has one
    assert spec.loader is not None  # noqa: S101 - likewise
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def _reach(folder: Path) -> None:
    if str(folder.resolve()) not in sys.path:
        sys.path.insert(0, str(folder.resolve()))


def _note_raised(path: Path, error: BaseException, faults: list[Fault]) -> None:
    line = 1
    for frame in traceback.extract_tb(error.__traceback__):
        if Path(frame.filename).resolve() == path.resolve():
            line = frame.lineno or 1
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).resolve() == path.resolve():
        line = error.lineno or 1
    found = f"{type(error).__name__}: {error}"
    hint = "" if not faults else "It may follow from the mistakes above."
    note(f"{path}:{line}", expected="a file that loads", found=found, hint=hint)


def _other_projects(folder: Path) -> str:
    found = sorted(str(path.parent) for path in folder.glob(f"*/{FILE}")) if folder.is_dir() else []
    return f"There is one in {', '.join(found[:3])}." if found else ""


def _shorten(fault: Fault, folder: Path) -> Fault:
    found = _inside(fault.found, folder)
    return Fault(at=_inside(fault.at, folder), expected=fault.expected, found=found, hint=fault.hint)


def _inside(place: str, folder: Path) -> str:
    """Name a place relative to the project folder, as the user knows it."""
    return place.replace(f"{folder.resolve()}/", "").replace(f"{folder}/", "")
