"""Segment files: their format and how they are read. `docs/spec/log.md` is the law; comments cite its clauses.

- A segment is a magic, a header and records, each in a frame with its length and checksum. The format is frozen.
- A record comes back whole and as it was written, or not at all.
- What ends a file without being a whole frame is a torn tail, normal after a kill, and is left out.
- Damage that whole frames follow is `Corrupt`: nothing that follows it is dropped in silence.

This module does not write (`writer`) and does not search (`index`).
"""

import enum
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeVar

import msgspec

from lockgate.kernel.canonical import digest_of
from lockgate.kernel.errors import Corrupt, Malformed, TooLarge
from lockgate.records.outcome import Event, Outcome
from lockgate.records.prediction import Known, Prediction

__all__ = [
    "HEAD",
    "LONGEST",
    "MAGIC",
    "RECORDS",
    "Header",
    "Kind",
    "Segment",
    "decode",
    "frame",
    "frames",
    "list_segments",
    "opening",
    "read_header",
    "read_records",
    "schema_of",
    "whole_frames",
]

T = TypeVar("T")
R = TypeVar("R", Prediction, Outcome, Event)

MAGIC = b"\x89LGS\r\n\x1a\n"
"""Eight bytes (log 2.1): not text, and changed by whatever strips a bit, converts line ends or stops at Ctrl-Z."""

HEAD = struct.Struct("<II")
"""Length and CRC-32 of the payload (log 3.1)."""

LONGEST = 1 << 20
"""The longest payload (log 3.2)."""

_FORMAT = 1
_CHUNK = 1 << 18
# A length from 1 to LONGEST, as its four bytes stand in a file; the checksum decides.
_PLAUSIBLE = re.compile(rb"(?=[\x00-\xff]{2}[\x00-\x10]\x00)")
_NAME = re.compile(r"(prediction|outcome|event)-([0-9a-f]{12})-([0-9a-f]{4})\.seg")


class Kind(enum.Enum):
    """What a segment holds; one kind only."""

    PREDICTION = "prediction"  # answers that were given
    OUTCOME = "outcome"  # words on what happened
    EVENT = "event"  # rows posted to the online store


RECORDS: dict[Kind, type[Prediction | Outcome | Event]] = {
    Kind.PREDICTION: Prediction,
    Kind.OUTCOME: Outcome,
    Kind.EVENT: Event,
}
"""The record of each kind."""

_KINDS = {record: kind for kind, record in RECORDS.items()}


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame of a segment; a reader ignores what it does not know in it."""

    # The number of the format.
    format: int
    # What the segment holds.
    kind: Kind
    # Whose log it is.
    endpoint: str
    # Who writes it; nobody else ever does.
    worker: int
    # When it was opened, control clock; microseconds.
    opened_at: int
    # The digest of the record's layout.
    schema: str
    # The release of Lockgate that wrote it.
    lockgate: str


_HEADERS = msgspec.msgpack.Decoder(Header)


class Segment(msgspec.Struct, frozen=True, order=True):
    """A segment's place in the order of a log; gives its file name."""

    # What it holds, as in the file name.
    kind: str
    # When it was opened, in milliseconds; ascends for each worker and kind.
    opened: int
    # Who writes it.
    worker: int

    @property
    def name(self) -> str:
        """The file name (log 1.2)."""
        return f"{self.kind}-{self.opened:012x}-{self.worker:04x}.seg"


def list_segments(folder: Path, kind: Kind) -> list[Segment]:
    """List the segments of a kind in their order; none where the folder does not exist. Other files are left alone."""
    try:
        found = [match for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    except FileNotFoundError:
        return []
    return sorted(Segment(m[1], int(m[2], 16), int(m[3], 16)) for m in found if m[1] == kind.value)


def schema_of(kind: Kind) -> str:
    """Digest the layout of a kind's record: the names of its fields, in order (log 4.3)."""
    layouts = (Prediction, Known) if kind is Kind.PREDICTION else (RECORDS[kind],)
    return digest_of({layout.__name__: layout.__struct_fields__ for layout in layouts})


_SCHEMAS = {kind: schema_of(kind) for kind in Kind}


def frame(payload: bytes) -> bytes:
    """Put a payload into its frame.

    Raises:
        TooLarge: it is longer than a frame may be.
    """
    if len(payload) > LONGEST:
        raise TooLarge(
            "A record is too long for the log",
            expected=f"at most {LONGEST:,} bytes",
            found=f"{len(payload):,} bytes",
            way_out="Send shorter texts.",
        )
    return HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def opening(header: Header) -> bytes:
    """Give the bytes that a segment begins with: the magic and the header's frame."""
    return MAGIC + frame(msgspec.msgpack.encode(header))


def whole_frames(data: bytes, at: int = 0) -> Iterator[tuple[int, memoryview]]:
    """Give place and payload of frame after frame, up to the first that is not whole."""
    while (payload := _payload(data, at)) is not None:
        yield at, payload
        at += HEAD.size + len(payload)


def frames(path: Path, kind: Kind, start: int = 0) -> Iterator[tuple[int, memoryview]]:
    """Give place and payload of every record of a segment, as far as it is written now.

    Args:
        path: the segment.
        kind: what it must hold.
        start: where to go on: the end of a frame that was read before; 0 for all.

    Raises:
        Corrupt: it is no segment, or is damaged (log 5.3).
        Malformed: it has another kind, or a format or layout that this release can't read.
    """
    with path.open("rb") as file:
        if start == 0:
            header, start = _header(file, path)
            if header is None:
                return
            _accept(header, kind, path)
        file.seek(start)
        yield from _frames(file, start, path)


def read_records(path: Path, record: type[R], start: int = 0) -> Iterator[tuple[int, R]]:
    """Give place and record of every record of a segment, as far as it is written now.

    Raises:
        Corrupt: it is damaged, or a whole frame holds no such record.
        Malformed: it has another kind, or a format or layout that this release can't read.
    """
    decoder = msgspec.msgpack.Decoder(record)
    for at, payload in frames(path, _KINDS[record], start):
        yield at, decode(payload, decoder, path, at)


def decode(payload: memoryview, decoder: msgspec.msgpack.Decoder[T], path: Path, at: int) -> T:
    """Read the payload of a whole frame.

    Raises:
        Corrupt: it is not what the decoder expects.
    """
    try:
        return decoder.decode(payload)
    except msgspec.DecodeError as error:
        _refuse(path, at, "a record of its kind", str(error), error)


def read_header(path: Path) -> Header | None:
    """Give a segment's header; None where it was torn before anything was acknowledged.

    Raises:
        Corrupt: it is no segment, or its header is damaged.
    """
    with path.open("rb") as file:
        return _header(file, path)[0]


def _payload(data: bytes, at: int) -> memoryview | None:
    if at + HEAD.size > len(data):
        return None
    length, checksum = HEAD.unpack_from(data, at)
    # The checksum of nothing is 0, so that zeros would be a frame if one could be empty (log 3.2).
    if not 0 < length <= LONGEST:
        return None
    payload = memoryview(data)[at + HEAD.size : at + HEAD.size + length]
    return payload if len(payload) == length and zlib.crc32(payload) == checksum else None


def _header(file: BinaryIO, path: Path) -> tuple[Header | None, int]:
    """Give the header and the place of the first record."""
    magic = file.read(len(MAGIC))
    if magic != MAGIC[: len(magic)]:
        _refuse(path, 0, f"a segment, which begins with {MAGIC!r}", repr(magic))
    first = next(_frames(file, len(MAGIC), path), None)
    if first is None:
        return None, 0
    header = decode(first[1], _HEADERS, path, len(MAGIC))
    return header, len(MAGIC) + HEAD.size + len(first[1])


def _frames(file: BinaryIO, start: int, path: Path) -> Iterator[tuple[int, memoryview]]:
    """Read on from `start`, where the file stands."""
    data = b""
    while chunk := file.read(_CHUNK):
        data += chunk
        end = 0
        for at, payload in whole_frames(data):
            yield start + at, payload
            end = at + HEAD.size + len(payload)
        data, start = data[end:], start + end
        if len(data) > HEAD.size + LONGEST:
            break
    _examine_rest(data, start, path)


def _examine_rest(rest: bytes, start: int, path: Path) -> None:
    """Let a torn tail pass, refuse damage (log 5.2, 5.3)."""
    if len(rest) > HEAD.size + LONGEST:
        _refuse(path, start, "a whole frame", f"more than {LONGEST:,} bytes that are not one")
    for match in _PLAUSIBLE.finditer(rest, 1):
        if _payload(rest, match.start()) is not None:
            _refuse(path, start, "a whole frame", f"a damaged one, though one follows at {start + match.start():,}")


def _accept(header: Header, kind: Kind, path: Path) -> None:
    """Refuse a segment that this release does not know how to read (log 4.4)."""
    known = (_FORMAT, kind.value, _SCHEMAS[kind])
    found = (header.format, header.kind.value, header.schema)
    if found != known:
        raise Malformed(
            f"The segment {path} can't be read as {kind.value}s",
            expected="format {}, {}, layout {}".format(*known),
            found="format {}, {}, layout {}".format(*found),
            way_out=f"Read it with Lockgate {header.lockgate}, which wrote it, or a newer one.",
        )


def _refuse(path: Path, at: int, expected: str, found: str, cause: Exception | None = None) -> NoReturn:
    raise Corrupt(
        f"The segment {path} is damaged at byte {at:,}",
        expected=expected,
        found=found,
        way_out="Restore the file from a copy, or move it out of the folder: all its records are then missing.",
    ) from cause
