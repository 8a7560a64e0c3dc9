"""What a fitting function tells of itself while it runs: numbers over steps, files, tags.

- It works the same everywhere. In a line what is told goes to a journal at once, so that nothing is lost when the
  function fails or its process is killed; anywhere else, as in a notebook or a test, it is kept in memory. It can be
  read back either way.
- It is bounded: what goes beyond is refused, with what was told until then kept.
- Numbers are kept as they are, NaN and infinities too.
- Threads may share it. A copy of it is the same run; what is pickled to another process is a run of that process.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import msgspec

from lockgate.kernel.canonical import Digest, sha256
from lockgate.kernel.errors import Invalid, NotFound, TooLarge
from lockgate.kernel.names import nearest
from lockgate.kernel.numbers import Number, heard, said

__all__ = ["MOST_ARTIFACT_BYTES", "Desk", "Kept", "Logged", "Note", "Point", "Run", "Tagged"]

MOST_ARTIFACT_BYTES = 64 << 20
"""How long a file may be that a run keeps."""

_MOST_METRICS = 500
_MOST_POINTS = 100_000
_MOST_ARTIFACTS = 200
_MOST_BYTES = 256 << 20
_MOST_TAGS = 100
_LONGEST_TAG = 5_000
_FURTHEST_STEP = (1 << 53) - 1
_NAME = re.compile(r"\w[\w .:/=@+-]{0,249}")


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A number that was logged."""

    # Which step it is of.
    step: int
    # The number.
    value: float
    # Seconds since the run began.
    seconds: float


class Logged(msgspec.Struct, tag="logged", frozen=True, kw_only=True):
    """Numbers of one step."""

    # By the name of the metric, with the step of each.
    values: dict[str, tuple[int, Number]]
    # Seconds since the run began.
    seconds: float


class Kept(msgspec.Struct, tag="kept", frozen=True, kw_only=True):
    """A file that was kept; its bytes lie beside."""

    name: str
    digest: Digest
    # Its length in bytes.
    size: int


class Tagged(msgspec.Struct, tag="tagged", frozen=True, kw_only=True):
    """Tags that were set; a later value of one replaces the earlier."""

    tags: dict[str, str]


Note = Logged | Kept | Tagged
"""One thing that was told."""


class Desk(Protocol):
    """Where what is told is put down."""

    def put(self, digest: Digest, data: bytes) -> None:
        """Put the bytes of a file down."""

    def get(self, digest: Digest) -> bytes:
        """Give them back."""

    def tell(self, note: Note) -> None:
        """Put down what was told; of a file, after its bytes."""


class _Memory:
    """A desk that lasts as long as its run."""

    def __init__(self) -> None:
        self._files: dict[Digest, bytes] = {}

    def put(self, digest: Digest, data: bytes) -> None:
        self._files[digest] = data

    def get(self, digest: Digest) -> bytes:
        return self._files[digest]

    def tell(self, note: Note) -> None:
        """Nobody listens; the run itself remembers."""


class Run:
    """What is told of a run of a fitting function, which reaches it as `training.run`.

    It can be read back: `run.metrics` gives the points of each metric, `run.tags` the tags, `run.artifacts` the length
    of each file, and `run.read(name)` its bytes.

    Args:
        desk: where it is put down; in memory if left out.
        elapsed: gives the seconds since the run began; counted from now on if left out.
    """

    def __init__(self, desk: Desk | None = None, elapsed: Callable[[], float] | None = None) -> None:
        began = time.perf_counter()
        self._desk = desk or _Memory()
        self._elapsed = elapsed or (lambda: time.perf_counter() - began)
        self._lock = threading.Lock()
        self._points: dict[str, list[Point]] = {}
        self._count = 0
        self._files: dict[str, Kept] = {}
        self._tags: dict[str, str] = {}

    def log(self, values: Mapping[str, float] | None = None, /, *, step: int | None = None, **more: float) -> None:
        """Log numbers: `run.log(step=3, loss=0.31, auc=0.74)`, or a mapping of them.

        Args:
            values: numbers by name, for names that are no Python names (`{"valid/loss": 0.3}`).
            step: which step they are of, a whole number; each metric counts its own from 0 where it is left out.
            more: numbers by name.

        Raises:
            Invalid: a name, a step or a number is none.
            TooLarge: there are more metrics or points than a run takes.
        """
        numbers = {name: _number(name, value) for name, value in {**(values or {}), **more}.items()}
        if step is not None:
            step = _step(step)
        if not numbers:
            return
        with self._lock:
            told = {
                name: (len(self._points.get(name, ())) if step is None else step, said(number))
                for name, number in numbers.items()
            }
            self._take(Logged(values=told, seconds=round(self._elapsed(), 6)))

    def keep(self, name: str, content: bytes | Path) -> None:
        """Keep a file with the run: `run.keep("trees.txt", Path("trees.txt"))`, or bytes.

        Args:
            name: what it is called; `/` may part it. A later file of the same name replaces the earlier.
            content: bytes, or the path of a file, which is copied.

        Raises:
            Invalid: the name is none, or there are neither bytes nor a file.
            TooLarge: it is longer than a run takes, or there are too many.
        """
        data = _content(name, content)
        with self._lock:
            note = Kept(name=name, digest=sha256(data), size=len(data))
            self._check(note)
            self._desk.put(note.digest, data)
            self._take(note)

    def tag(self, tags: Mapping[str, str] | None = None, /, **more: str) -> None:
        """Set tags, which are texts: `run.tag(team="operations")`, or a mapping of them.

        Raises:
            Invalid: a name is none, or a value is no text.
            TooLarge: there are too many, or one is too long.
        """
        tags = {**(tags or {}), **more}
        for name, value in tags.items():
            if not isinstance(value, str):
                msg = f"The tag {name} is no text"
                raise Invalid(msg, expected="a text", found=repr(value)[:80], way_out=f"{name}=str(...) makes one.")
        with self._lock:
            self._take(Tagged(tags=tags))

    @property
    def metrics(self) -> dict[str, list[Point]]:
        """The points of each metric, in the order in which they were logged."""
        with self._lock:
            return {name: list(points) for name, points in self._points.items()}

    @property
    def tags(self) -> dict[str, str]:
        """The tags."""
        with self._lock:
            return dict(self._tags)

    @property
    def artifacts(self) -> dict[str, int]:
        """The length of each file that was kept, in bytes."""
        return {name: kept.size for name, kept in self.kept.items()}

    @property
    def kept(self) -> dict[str, Kept]:
        """The files that were kept, by name, with their digests."""
        with self._lock:
            return dict(self._files)

    def read(self, name: str) -> bytes:
        """Give the bytes of a file that was kept.

        Raises:
            NotFound: there is none of that name.
        """
        found = self.kept
        if name not in found:
            raise NotFound(f"No file {name} was kept", found=name, way_out=nearest(name, found))
        return self._desk.get(found[name].digest)

    def take(self, note: Note) -> None:
        """Take what was told as a note, under the same bounds; its bytes, of a file, were put down before."""
        with self._lock:
            self._take(note)

    def __copy__(self) -> "Run":
        """Be the same run, so that a model that is cloned goes on logging to it."""
        return self

    def __deepcopy__(self, _: dict[int, Any]) -> "Run":
        """Be the same run."""
        return self

    def __reduce__(self) -> tuple[type["Run"], tuple[()]]:
        """Be a run of its own in another process."""
        return Run, ()

    def _take(self, note: Note) -> None:
        """Check, put down, remember; the caller holds the lock."""
        self._check(note)
        self._desk.tell(note)
        match note:
            case Logged():
                for name, (step, number) in note.values.items():
                    point = Point(step=step, value=heard(number), seconds=note.seconds)
                    self._points.setdefault(name, []).append(point)
                self._count += len(note.values)
            case Kept():
                self._files[note.name] = note
            case Tagged():
                self._tags |= note.tags

    def _check(self, note: Note) -> None:
        match note:
            case Logged():
                _check_names("metric", note.values)
                _bound("metrics", len(self._points.keys() | note.values.keys()), _MOST_METRICS)
                hint = "Log every tenth step, or the mean of an epoch."
                _bound("points", self._count + len(note.values), _MOST_POINTS, hint)
            case Kept():
                _check_names("file", [note.name])
                there = self._files | {note.name: note}
                _bound("files", len(there), _MOST_ARTIFACTS)
                _bound("bytes in a file", note.size, MOST_ARTIFACT_BYTES)
                _bound("bytes in files", sum(kept.size for kept in there.values()), _MOST_BYTES)
            case Tagged():
                _check_names("tag", note.tags)
                _bound("tags", len(self._tags | note.tags), _MOST_TAGS)
                _bound("characters in a tag", max(map(len, note.tags.values()), default=0), _LONGEST_TAG)


def _number(name: str, value: Any) -> float:  # noqa: ANN401 - whatever a user logs
    """Give a number as a float; numbers of NumPy and of PyTorch are, too."""
    if not isinstance(value, str | bytes) and hasattr(value, "__float__"):
        try:
            return float(value)
        except (TypeError, ValueError, OverflowError):
            pass  # refused below, with what it was
    raise Invalid(f"{name} is no number to log", expected=f"{name}=<number>", found=repr(value)[:80])


def _step(value: Any) -> int:  # noqa: ANN401 - whatever a user gives
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise Invalid("This is no step to log at", expected="a whole number", found=repr(value)[:80])
    step = int(value)
    if abs(step) > _FURTHEST_STEP:
        raise Invalid("This is no step to log at", expected="a whole number below 2**53", found=str(step)[:80])
    return step


def _content(name: str, content: Any) -> bytes:  # noqa: ANN401 - whatever a user gives
    if isinstance(content, bytes | bytearray | memoryview):
        return bytes(content)
    if isinstance(content, Path):
        try:
            _bound("bytes in a file", content.stat().st_size, MOST_ARTIFACT_BYTES)
            return content.read_bytes()
        except OSError as error:
            msg = f"{name} can't be kept"
            raise Invalid(msg, expected="a file that can be read", found=f"{type(error).__name__}: {error}") from error
    hint = "A text is kept as text.encode(), a file as Path(...)."
    raise Invalid(f"{name} can't be kept", expected="bytes or a Path", found=type(content).__name__, way_out=hint)


def _check_names(what: str, names: Any) -> None:  # noqa: ANN401 - texts, or what a user gave for them
    for name in names:
        parts = PurePosixPath(name).parts if isinstance(name, str) else ()
        if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in parts:
            expected = "a letter or digit, then letters, digits, spaces and ._:/=@+-, 250 characters at most"
            raise Invalid(f"This is no name of a {what}", expected=expected, found=repr(name)[:80])


def _bound(
    what: str, found: int, most: int, way_out: str = "Keep the rest elsewhere, and tag the run with where."
) -> None:
    if found > most:
        msg = f"A run takes no more {what}"
        raise TooLarge(msg, expected=f"{most:,} at most", found=f"{found:,}", way_out=way_out)
