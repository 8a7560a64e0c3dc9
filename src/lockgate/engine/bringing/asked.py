"""What an import is asked for, and what it brings: files by path, read as bytes and never parsed here."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import Invalid, NotFound, TooLarge
from lockgate.kernel.names import is_name
from lockgate.packages.brought.files import refuse_pickle
from lockgate.packages.brought.mlflow import MLMODEL
from lockgate.records.line import Tree
from lockgate.training.example import Roles

__all__ = ["Bringing", "ImportAsked", "look_at"]

_MOST_FILES = 1_000


class ImportAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An import, as it was asked for."""

    # What is brought: a file, a folder, or `script.py:function`; from the root.
    path: str
    # The file with example rows; from the root.
    example: str
    # The project's name, and its endpoint's.
    name: str
    # What columns of the example rows are for.
    roles: Roles
    # What builds the module of weights, `script.py:function` from the root, and what it is given: JSON values.
    build: str = ""
    arguments: dict[str, Any] = {}
    # The model's columns, in order, where it names none itself; empty for those of the example rows.
    columns: tuple[str, ...] = ()
    # `binary` or `regression`; empty where the model says it.
    task: str = ""
    # From this score on the answer is true; for `binary`.
    threshold: float = 0.5
    # By how much the answers may differ from what the original gave.
    tolerance: float = 1e-9
    # Floors and ceilings of metrics, and with how many rows they are judged.
    floors: dict[str, float] = {}
    ceilings: dict[str, float] = {}
    min_rows: int = 200
    # A file that declares more gates, from the root; empty for none.
    gates: str = ""
    # Who answers for it.
    owner: str = ""

    @property
    def place(self) -> Path:
        """Where the file or folder is."""
        return Path(self.path.rpartition(":")[0] if self.function else self.path)

    @property
    def function(self) -> str:
        """The name of the function, where one is brought; its file is then its script."""
        return _script_and_function(self.path)[1]

    @property
    def builder(self) -> tuple[Path, str]:
        """The script of the function that builds a module, and the function's name; empty for none."""
        script, function = _script_and_function(self.build)
        return Path(script), function

    def plain(self) -> dict[str, Any]:
        """Give it as a walk keeps it."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def _script_and_function(text: str) -> tuple[str, str]:
    script, _, function = text.rpartition(":")
    return (script, function) if script.endswith(".py") and function.isidentifier() else ("", "")


class Bringing(msgspec.Struct, frozen=True, kw_only=True):
    """What is brought."""

    # Where the files are, by the path they have in it.
    files: dict[str, Path]
    # The files' digests, the example rows' among them.
    tree: Tree


def look_at(asked: ImportAsked) -> Bringing:
    """Find and digest what is brought.

    Raises:
        NotFound: there is none.
        Invalid: its name or its task can't be taken; it is a pickle; a link or no plain file is in it.
        TooLarge: it has too many files.
    """
    if not is_name(asked.name):
        expected = "a name of small letters, digits and hyphens"
        raise Invalid(f"{asked.name!r} can't be the name of an endpoint", expected=expected, found=asked.name)
    if asked.task not in {"", "binary", "regression"}:
        raise Invalid("There is no such task", expected="binary or regression", found=asked.task)
    path, example, script = asked.place, Path(asked.example), asked.builder[0]
    more = {f"build/{script.name}": script} if asked.build else {}
    more |= {f"gates/{Path(asked.gates).name}": Path(asked.gates)} if asked.gates else {}
    for one in (path, example, *more.values()):
        if not one.is_absolute() or not one.exists():
            raise NotFound(f"There is no {one}", expected="a file or a folder", found="none")
    if path.is_dir() and not (path / MLMODEL).is_file():
        raise Invalid(
            f"{path.name} is no folder that can be taken",
            expected=f"an MLflow model folder, with its {MLMODEL}",
            found=", ".join(sorted(one.name for one in path.iterdir())[:10]) or "an empty folder",
        )
    if path.is_file() and not asked.function:
        # Said at once; the child that reads it would say the same.
        with path.open("rb") as file:
            refuse_pickle(path.name, file.read(16))
    files = dict(_files(path)) if path.is_dir() else {path.name: path}
    files = {f"model/{name}": one for name, one in files.items()} | {f"example/{example.name}": example}
    files |= more
    if len(files) > _MOST_FILES:
        raise TooLarge("This folder has more files than a model has", expected=f"{_MOST_FILES}", found=f"{len(files)}")
    return Bringing(
        files=files,
        tree=Tree(files={name: _digest(one) for name, one in sorted(files.items())}),
    )


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Give the files of a folder, at any depth; a link in it could lead anywhere, so none is taken."""
    for place, folders, names in os.walk(folder):
        for name in (*names, *(one for one in folders if (Path(place) / one).is_symlink())):
            path = Path(place) / name
            relative = path.relative_to(folder).as_posix()
            if not stat.S_ISREG(path.lstat().st_mode):
                raise Invalid(f"{relative} is no plain file", expected="files and folders", found="a link, or a device")
            yield relative, path


def _digest(path: Path) -> Digest:
    if not path.is_file():
        raise Invalid(f"{path.name} is no plain file", expected="a file", found="a folder, or a device")
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
