"""Sees what this process does while it reads something that is not to be believed: starts, unpickles, writes.

with Watch(root) as seen:
    ...
assert seen.harm() == []
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

__all__ = ["Watch"]

_WRITES = 0o1 | 0o2 | 0o100 | 0o1000  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC
_HARM = frozenset(
    [
        "os.chmod",
        "os.exec",
        "os.fork",
        "os.link",
        "os.mkdir",
        "os.posix_spawn",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.system",
        "os.truncate",
        "pickle.find_class",
        "pty.spawn",
        "socket.connect",
        "socket.getaddrinfo",
        "subprocess.Popen",
    ]
)
_watching: list["Watch"] = []


class Watch:
    """Watches this process, and the files under a folder, from its beginning to its end.

    Args:
        root: where the file system is looked at before and after.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._told: list[str] = []
        self._before: dict[str, Any] = {}
        self._changed: list[str] = []

    def __enter__(self) -> Self:
        if not _hooked:
            sys.addaudithook(_hear)
            _hooked.append(True)
        self._before = _tree(self._root)
        _watching.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _watching.remove(self)
        after = _tree(self._root)
        paths = sorted({*self._before, *after})
        self._changed = [path for path in paths if self._before.get(path) != after.get(path)]

    def tell(self, what: str) -> None:
        self._told.append(what)

    def harm(self) -> list[str]:
        """Give all that was started, unpickled or written."""
        return [*self._told, *(f"changed: {path}" for path in self._changed)]


_hooked: list[bool] = []


def _hear(event: str, arguments: Sequence[Any]) -> None:
    if not _watching:
        return
    if event in _HARM:
        _watching[-1].tell(f"{event} {arguments!r:.200}")
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES:
        _watching[-1].tell(f"written: {arguments[0]!r}")


def _tree(root: Path) -> dict[str, Any]:
    found = {}
    for path in [root, *root.rglob("*")]:
        stat = path.lstat()
        found[str(path)] = stat.st_mode, stat.st_size, stat.st_mtime_ns, stat.st_ino
    return found
