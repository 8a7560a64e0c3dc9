"""Finds a prediction by its id, without an index of all ids.

- Ids of one worker ascend, so of its segments the last that begins at or before an id holds it. Records may stand a
  little out of order (batches that overtake each other, a worker replaced while it drains), so the neighbours are
  asked too.
- Within a segment, every block of 256 frames is known by its place and its lowest and highest id. They are noted in one
  pass when the segment is first asked, and the pass goes on where it stopped when the segment has grown.
- A segment that was not there before is noticed when an id is not found.
- Damage in a segment that is asked is raised, never read as "not there".

It keeps no file open and writes nothing. Not thread-safe.
"""

import contextlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.kernel.ids import id_parts
from lockgate.predictionlog.segments import HEAD, Kind, Segment, decode, frames, list_segments, whole_frames
from lockgate.records.prediction import Prediction

__all__ = ["LogIndex"]

_BLOCK = 256


class _IdOnly(msgspec.Struct, array_like=True):
    """The head of a prediction; the rest of the array is skipped."""

    id: str


_HEADS = msgspec.msgpack.Decoder(_IdOnly)
_PREDICTIONS = msgspec.msgpack.Decoder(Prediction)


class _Block(msgspec.Struct):
    """Some frames in a row."""

    start: int
    end: int
    low: str
    high: str
    count: int = 1

    def add(self, end: int, prediction: str) -> None:
        """Take in the next frame."""
        self.end, self.count = end, self.count + 1
        self.low, self.high = min(self.low, prediction), max(self.high, prediction)


class _Indexed:
    """One segment and what is known of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first: str | None = None
        self._blocks: list[_Block] = []

    def first(self) -> str | None:
        """Give its first id; None while it has no record."""
        if self._first is None:
            # A segment that is gone was taken back by its writer or fell to retention.
            with contextlib.suppress(FileNotFoundError):
                self._first = next((found for _, _, found in self._ids(0)), None)
        return self._first

    def highest(self) -> str | None:
        """Give its highest id; None while it has no record."""
        self._extend()
        return max((block.high for block in self._blocks), default=None)

    def find(self, prediction: str) -> Prediction | None:
        """Look an id up."""
        try:
            self._extend()
            near = (block for block in self._blocks if block.low <= prediction <= block.high)
            return next((found for block in near if (found := self._search(block, prediction)) is not None), None)
        except FileNotFoundError:
            return None

    def _extend(self) -> None:
        """Note what was written since the last time."""
        seen = self._blocks[-1].end if self._blocks else 0
        size = self._path.stat().st_size
        if size < seen:
            # The writer took back a batch that it could not write whole (log 5.4).
            self._blocks, seen = [], 0
        if size > seen:
            for start, end, prediction in self._ids(seen):
                self._note(start, end, prediction)

    def _ids(self, start: int) -> Iterator[tuple[int, int, str]]:
        """Give the start and end of every frame from `start` on, with the id in it."""
        for at, payload in frames(self._path, Kind.PREDICTION, start):
            yield at, at + HEAD.size + len(payload), decode(payload, _HEADS, self._path, at).id

    def _note(self, start: int, end: int, prediction: str) -> None:
        if self._blocks and self._blocks[-1].count < _BLOCK:
            self._blocks[-1].add(end, prediction)
        else:
            self._blocks.append(_Block(start, end, prediction, prediction))

    def _search(self, block: _Block, prediction: str) -> Prediction | None:
        with self._path.open("rb") as file:
            file.seek(block.start)
            data = file.read(block.end - block.start)
        for at, payload in whole_frames(data):
            if decode(payload, _HEADS, self._path, block.start + at).id == prediction:
                return decode(payload, _PREDICTIONS, self._path, block.start + at)
        return None


class LogIndex:
    """Finds predictions in a log that may be written meanwhile.

    Args:
        folder: the endpoint's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: dict[Segment, _Indexed] = {}
        # The same by worker, in their order.
        self._workers: defaultdict[int, list[_Indexed]] = defaultdict(list)

    def find(self, prediction: str) -> Prediction | None:
        """Give the prediction with an id; None where the log has none, or the text is not an id.

        Raises:
            Corrupt: a segment that may hold it is damaged.
        """
        parts = id_parts(prediction)
        if parts is None:
            return None
        found = self._find(prediction, parts.worker)
        if found is None and self._refresh():
            found = self._find(prediction, parts.worker)
        return found

    def has(self, prediction: str) -> bool:
        """Tell whether the log has a prediction with this id."""
        return self.find(prediction) is not None

    def newest(self, worker: int) -> str | None:
        """Give a worker's highest id, in its newest segment with a record; None where there is none.

        A worker that is started again makes its ids after it, so that they ascend even when the clock was set back.
        """
        self._refresh()
        return next((id_ for _, segment in reversed(self._of(worker)) if (id_ := segment.highest())), None)

    def _find(self, prediction: str, worker: int) -> Prediction | None:
        for segment in self._near(prediction, worker):
            if found := segment.find(prediction):
                return found
        return None

    def _near(self, prediction: str, worker: int) -> Iterator[_Indexed]:
        """Give the segments that may hold an id, the likeliest first."""
        begun = self._of(worker)
        last = bisect_right([first for first, _ in begun], prediction) - 1
        return (begun[i][1] for i in (last, last + 1, last - 1) if 0 <= i < len(begun))

    def _of(self, worker: int) -> list[tuple[str, _Indexed]]:
        """Give a worker's segments that have a record, in their order, each with its first id."""
        own = self._workers.get(worker, [])
        return [(first, indexed) for indexed in own if (first := indexed.first()) is not None]

    def _refresh(self) -> bool:
        """List the folder again; tell whether segments came or went."""
        listed = list_segments(self._folder, Kind.PREDICTION)
        changed = self._segments.keys() != set(listed)
        self._segments = {s: self._segments.get(s) or _Indexed(self._folder / s.name) for s in listed}
        self._workers.clear()
        for segment, indexed in self._segments.items():
            self._workers[segment.worker].append(indexed)
        return changed
