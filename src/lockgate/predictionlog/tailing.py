"""Follows a log of events while it is written: what came since a position, and the position after it.

- A position says for each segment how far it was read, so it holds also where workers write side by side.
- Of one worker the last few segments are watched: a process that drains may still write to the one before.
- A segment that has become shorter lost what was never acknowledged, and gets nothing more (log 5.4).
- A damaged segment is read up to the damage and stays there; the others go on.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.predictionlog.segments import HEAD, Kind, Segment, decode, frames, list_segments
from lockgate.records.outcome import Event

__all__ = ["Position", "Tail"]

_WATCHED = 4
_EVENTS = msgspec.msgpack.Decoder(Event)


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """How far a log of events was read."""

    # For each worker: its segments opened before this are read, and closed.
    floors: dict[int, int] = {}
    # For each segment since then: the bytes that were read.
    offsets: dict[str, int] = {}

    def covers(self, name: str, offset: int) -> bool:
        """Tell whether a segment was read up to a byte."""
        worker, opened = int(name[-8:-4], 16), int(name[-21:-9], 16)
        return opened < self.floors.get(worker, 0) or self.offsets.get(name, 0) >= offset


class Tail:
    """Reads a log of events on and on.

    Args:
        folder: the endpoint's folder.
        position: where to go on.
    """

    def __init__(self, folder: Path, position: Position) -> None:
        self._folder, self.position = folder, position
        # What keeps a segment from being read on, by its name.
        self.troubles: dict[str, LockgateError] = {}

    def read(self, limit: int) -> tuple[list[Event], Position]:
        """Give events that follow the position, in the order of the log, and the position after them.

        The position of this tail stays where it is until it is told to move.

        Args:
            limit: how many at most, roughly.
        """
        found: list[Event] = []
        listed = self._unread()
        offsets = dict(self.position.offsets)
        for segment in listed:
            if len(found) >= limit:
                break
            for end, event in self._read(segment.name, offsets.get(segment.name, 0)):
                offsets[segment.name] = end
                if event is not None:
                    found.append(event)
                if len(found) >= limit:
                    break
        return found, _watched(listed, self.position.floors, offsets)

    def waiting(self, most: int) -> tuple[int, int | None]:
        """Count the events that follow the position, up to some number; and tell when the first was received."""
        events, _ = self.read(most)
        return len(events), events[0].received_at if events else None

    def _unread(self) -> list[Segment]:
        floors = self.position.floors
        listed = list_segments(self._folder, Kind.EVENT)
        return [segment for segment in listed if segment.opened >= floors.get(segment.worker, 0)]

    def _read(self, name: str, start: int) -> Iterator[tuple[int, Event | None]]:
        """Give events with the byte after each; no event where the segment was cut back."""
        path = self._folder / name
        try:
            size = path.stat().st_size
            if size < start:
                yield size, None
            elif size > start:
                for at, payload in frames(path, Kind.EVENT, start):
                    yield at + HEAD.size + len(payload), decode(payload, _EVENTS, path, at)
            self.troubles.pop(name, None)
        except FileNotFoundError:
            # Its writer took it back: it never held anything that was acknowledged.
            return
        except OSError as error:
            self.troubles[name] = Unavailable(f"The segment {path} can't be read", found=str(error))
        except LockgateError as error:
            self.troubles[name] = error


def _watched(listed: list[Segment], floors: dict[int, int], offsets: dict[str, int]) -> Position:
    """Give a position that forgets the segments which nobody writes to any more."""
    read: dict[int, list[Segment]] = {}
    for segment in listed:
        if segment.name in offsets:
            read.setdefault(segment.worker, []).append(segment)
    after = floors | {worker: own[-_WATCHED].opened for worker, own in read.items() if len(own) > _WATCHED}
    kept = {
        segment.name: offsets[segment.name]
        for own in read.values()
        for segment in own
        if segment.opened >= after.get(segment.worker, 0)
    }
    return Position(floors=after, offsets=kept)
