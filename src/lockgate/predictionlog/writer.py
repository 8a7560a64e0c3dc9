"""Writes one worker's segments of one kind. `docs/spec/log.md` is the law; comments cite its clauses.

- `append` returns when its records are in the log, in one write; it raises when none of them is acknowledged.
- A segment is written by one writer only, from its creation to its end; an old one is never touched.
- After a failed write the segment is cut back to what was acknowledged and left; the next append starts a new one. So
  a byte that was acknowledged never changes, and no place in a file ever holds two different frames.
- The writer's time never goes back: segments of a worker and kind ascend in the order in which they were opened.

Not thread-safe, and reads nothing but the folder's list, once.
"""

import contextlib
import enum
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

import msgspec

from lockgate.kernel.clock import Clock
from lockgate.kernel.errors import Unavailable
from lockgate.kernel.ids import WORKERS
from lockgate.predictionlog.segments import RECORDS, Header, Kind, Segment, frame, list_segments, opening, schema_of
from lockgate.records.outcome import Event, Outcome
from lockgate.records.prediction import Prediction

__all__ = ["Durability", "Rotation", "SegmentWriter"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Durability(enum.Enum):
    """What an acknowledged record survives."""

    OS = "os"  # the end of every process: the kernel has it
    GROUP = "group"  # the loss of power as well: each append waits for the disk, once for all its records


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """When a segment is full; seen at the next append."""

    # Bytes after which it takes no further append.
    size: int = 64 << 20
    # Age at which it takes no further append.
    age: timedelta = timedelta(seconds=60)


class _Open(msgspec.Struct):
    """The segment being written."""

    fd: int
    path: Path
    opened_at: datetime
    # Bytes that were acknowledged.
    size: int


class SegmentWriter:
    """Appends records to a log.

    Args:
        folder: the endpoint's folder; created where it is missing.
        endpoint: whose log it is.
        kind: what is written.
        worker: 0 to 16,383, unique among those who write to the folder at the same time.
        clock: the control clock.
        durability: what acknowledged records survive.
        rotation: when a segment is full.
    """

    def __init__(
        self,
        folder: Path,
        endpoint: str,
        kind: Kind,
        worker: int,
        clock: Clock,
        *,
        durability: Durability = Durability.OS,
        rotation: Rotation = Rotation(),  # noqa: B008 - frozen
    ) -> None:
        if not 0 <= worker < WORKERS:
            raise ValueError(f"a worker is numbered 0 to {WORKERS - 1}, not {worker}")
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._endpoint, self._kind, self._worker = folder, endpoint, kind, worker
        self._clock, self._durability, self._rotation = clock, durability, rotation
        self._release = metadata.version("lockgate")
        self._encode = msgspec.msgpack.Encoder().encode
        self._record = RECORDS[kind]
        self._now = _EPOCH
        # Segments of this number that earlier processes left; ours come after them (log 1.3).
        self._newest = max((s.opened for s in list_segments(folder, kind) if s.worker == worker), default=0)
        self._open: _Open | None = None

    def append(self, records: Sequence[Prediction] | Sequence[Outcome] | Sequence[Event]) -> None:
        """Log records, all or none; they are in the log when this returns.

        Raises:
            Unavailable: they could not be written; none is acknowledged. The next append tries again.
            TooLarge: one of them is longer than a frame may be; nothing was written.
            TypeError: one of them is not of the writer's kind; nothing was written.
        """
        batch = b"".join([self._frame(record) for record in records])
        if not batch:
            return
        self._now = max(self._now, self._clock())
        try:
            self._write(batch)
        except OSError as error:
            self._abandon()
            raise Unavailable(
                f"Cannot log {self._kind.value}s of {self._endpoint}, and what can't be logged is refused",
                expected=f"{len(batch):,} bytes written to {self._folder}",
                found=str(error),
                way_out="Free or mend that disk; no restart is needed, each request tries again.",
            ) from error
        except BaseException:
            # An interrupt between two writes: what was half written must not be followed by anything.
            self._abandon()
            raise

    @property
    def place(self) -> tuple[str, int]:
        """Where the log ends: the name of the segment being written, and its bytes; of none, nothing."""
        return ("", 0) if self._open is None else (self._open.path.name, self._open.size)

    def rotate(self) -> None:
        """End the segment; the next append starts a new one."""
        if self._open is not None:
            fd, self._open = self._open.fd, None
            os.close(fd)

    def close(self) -> None:
        """End the segment."""
        self.rotate()

    def _frame(self, record: Prediction | Outcome | Event) -> bytes:
        if type(record) is not self._record:
            raise TypeError(f"a log of {self._kind.value}s takes no {type(record).__name__}")
        return frame(self._encode(record))

    def _write(self, batch: bytes) -> None:
        if self._open is not None and self._is_full(self._open):
            self.rotate()
        if self._open is None:
            self._open, head = self._create()
            batch = head + batch
        _write_all(self._open.fd, batch)
        if self._durability is Durability.GROUP:
            self._reach_disk(self._open)
        self._open.size += len(batch)

    def _is_full(self, segment: _Open) -> bool:
        return segment.size >= self._rotation.size or self._now - segment.opened_at >= self._rotation.age

    def _create(self) -> tuple[_Open, bytes]:
        """Create the next segment, empty, and give what it has to begin with."""
        microseconds = (self._now - _EPOCH) // _MICROSECOND
        self._newest = max(microseconds // 1000, self._newest + 1)
        path = self._folder / Segment(self._kind.value, self._newest, self._worker).name
        try:
            # O_EXCL: a file that another process made is not ours to write, whatever it thinks its number is (log 1.4).
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        except FileExistsError:
            return self._create()
        header = Header(
            format=1,
            kind=self._kind,
            endpoint=self._endpoint,
            worker=self._worker,
            opened_at=microseconds,
            schema=schema_of(self._kind),
            lockgate=self._release,
        )
        return _Open(fd, path, self._now, 0), opening(header)

    def _reach_disk(self, segment: _Open) -> None:
        os.fdatasync(segment.fd)
        if segment.size == 0:
            # A new file survives only when its name does.
            folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _abandon(self) -> None:
        """Take back what was not acknowledged and leave the segment for good (log 5.4).

        Also after a failed fdatasync: the kernel may have dropped the pages and would call the next one a success.
        """
        if self._open is None:
            return
        segment, self._open = self._open, None
        # A disk that refuses this too leaves a torn tail or records without an answer; readers bear both.
        with contextlib.suppress(OSError):
            if segment.size:
                os.ftruncate(segment.fd, segment.size)
            else:
                segment.path.unlink()
        with contextlib.suppress(OSError):
            os.close(segment.fd)


def _write_all(fd: int, data: bytes) -> None:
    """Write all of it; a short write is followed by another, which goes on or says why not."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])
