"""Reads a log as records, in the order of segment and place, while it may be written.

A torn tail is left out and damage is raised, as `segments` says; a segment that falls to retention is skipped.
Duplicates are not removed and outcomes are not weighed here: `outcomes` says which word counts.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from lockgate.kernel.canonical import utc
from lockgate.predictionlog.segments import Kind, Segment, list_segments, read_records
from lockgate.records.outcome import Event, Outcome
from lockgate.records.prediction import Prediction

__all__ = ["events", "outcomes", "predictions"]

R = TypeVar("R", Prediction, Outcome, Event)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def predictions(folder: Path, since: datetime | None = None) -> Iterator[Prediction]:
    """Give the predictions of an endpoint, those received at `since` or later (control clock) where it is given.

    Raises:
        Corrupt: a segment is damaged.
        Malformed: a segment was written by a release that this one can't read, or `since` has no zone.
    """
    listed = list_segments(folder, Kind.PREDICTION)
    if since is None:
        yield from _read(folder, listed, Prediction)
        return
    microseconds = (utc(since) - _EPOCH) // timedelta(microseconds=1)
    for prediction in _read(folder, _not_ended_before(listed, microseconds // 1000), Prediction):
        if prediction.received_at >= microseconds:
            yield prediction


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Give every word on what happened.

    Raises:
        Corrupt, Malformed: as `predictions`.
    """
    return _read(folder, list_segments(folder, Kind.OUTCOME), Outcome)


def events(folder: Path) -> Iterator[Event]:
    """Give every row that was posted.

    Raises:
        Corrupt, Malformed: as `predictions`.
    """
    return _read(folder, list_segments(folder, Kind.EVENT), Event)


def _read(folder: Path, segments: list[Segment], record: type[R]) -> Iterator[R]:
    for segment in segments:
        try:
            for _, found in read_records(folder / segment.name, record):
                yield found
        except FileNotFoundError:
            continue


def _not_ended_before(segments: list[Segment], milliseconds: int) -> list[Segment]:
    """Leave out the segments whose worker had opened the next one before that moment: they got nothing after it."""
    kept, ended = [], set()
    for segment in reversed(segments):
        if segment.worker not in ended:
            kept.append(segment)
        if segment.opened < milliseconds:
            ended.add(segment.worker)
    return kept[::-1]
