"""The journal of a run: what the child that fits puts down while it goes, so that it is there if the child is not.

- A line is a checksum (CRC-32, eight hexadecimal digits), a space, and a JSON document. It is handed to the kernel in
  one write before the call that told it returns: a child that is killed loses nothing.
- The first line says when the run began, the last what it took. Where the last is missing, the child did not end.
- It is read up to the first line that does not hold, under the bounds of a run: a user's process may have written it.
- Files lie beside it under their digests, whole before a line names them. One whose bytes are others is not taken.
"""

import os
import re
import zlib
from pathlib import Path

import msgspec

from lockgate.declare.run import MOST_ARTIFACT_BYTES, Kept, Logged, Note, Run, Tagged
from lockgate.kernel.canonical import Digest, Instant, sha256
from lockgate.kernel.errors import LockgateError
from lockgate.kernel.folders import replace_file

__all__ = ["Ended", "Journal", "Journaled", "forget_journal", "read_journal"]

_FILE, _FILES = "run.jsonl", "run-files"
_MOST_BYTES = 64 << 20
_LINE = re.compile(rb"([0-9a-f]{8}) (.*)")


class Began(msgspec.Struct, tag="began", frozen=True, kw_only=True):
    """The first line."""

    # When, by the control clock.
    at: Instant


class Ended(msgspec.Struct, tag="ended", frozen=True, kw_only=True):
    """The last line, however it ended."""

    # Wall-clock seconds since it began, and seconds of processor time.
    seconds: float
    cpu_seconds: float
    # Peak resident memory in bytes.
    peak_memory: int


class Journal:
    """A desk on disk.

    Args:
        folder: a folder of the child's own.
        at: when the run begins, by the control clock.
    """

    def __init__(self, folder: Path, at: Instant) -> None:
        self._files = folder / _FILES
        folder.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._write(Began(at=at))

    def put(self, digest: Digest, data: bytes) -> None:
        """Put the bytes of a file down, whole."""
        replace_file(_place(self._files, digest), data)

    def get(self, digest: Digest) -> bytes:
        """Give them back."""
        return _place(self._files, digest).read_bytes()

    def tell(self, note: Note) -> None:
        """Put down what was told."""
        self._write(note)

    def end(self, ended: Ended) -> None:
        """Put down what it took."""
        self._write(ended)
        os.close(self._descriptor)

    def _write(self, line: Note | Began | Ended) -> None:
        text = msgspec.json.encode(line)
        os.write(self._descriptor, b"%08x %b\n" % (zlib.crc32(text), text))


class Journaled(msgspec.Struct, kw_only=True):
    """What a journal says."""

    # When the run began.
    at: Instant
    # What was told.
    run: Run
    # What it took; None where it did not end.
    ended: Ended | None = None
    # Where the bytes of each file lie, by its name.
    files: dict[str, Path] = {}


def read_journal(folder: Path) -> Journaled | None:
    """Read a journal as far as it holds; None where no run began."""
    try:
        with (folder / _FILE).open("rb") as file:
            lines = file.read(_MOST_BYTES).split(b"\n")[:-1]
    except FileNotFoundError:
        return None
    found = None
    for line in lines:
        said = _line(line)
        if found is None and isinstance(said, Began):
            found = Journaled(at=said.at, run=Run())
        elif found is None or said is None or not _took(found, folder / _FILES, said):
            break
    if found is not None:
        found.files = {name: _place(folder / _FILES, kept.digest) for name, kept in found.run.kept.items()}
    return found


def forget_journal(folder: Path) -> None:
    """Remove a journal that was read."""
    (folder / _FILE).unlink(missing_ok=True)


def _took(found: Journaled, files: Path, said: Note | Began | Ended) -> bool:
    """Take a line; tell whether it held."""
    if isinstance(said, Began) or found.ended is not None:
        return False
    if isinstance(said, Ended):
        found.ended = said
        return True
    if isinstance(said, Kept) and not _holds(_place(files, said.digest), said):
        return False
    try:
        found.run.take(said)
    except LockgateError:
        return False
    return True


def _holds(path: Path, said: Kept) -> bool:
    """Tell whether a file is what a line says; one that is longer than any may be is not read."""
    if path.is_symlink() or not path.is_file() or said.size > MOST_ARTIFACT_BYTES:
        return False
    return path.stat().st_size == said.size and sha256(path.read_bytes()) == said.digest


def _line(line: bytes) -> Note | Began | Ended | None:
    matched = _LINE.fullmatch(line)
    if matched is None or int(matched[1], 16) != zlib.crc32(matched[2]):
        return None
    try:
        return msgspec.json.decode(matched[2], type=Logged | Kept | Tagged | Began | Ended)
    except msgspec.DecodeError:
        return None


def _place(files: Path, digest: Digest) -> Path:
    return files / digest.removeprefix("sha256:")
