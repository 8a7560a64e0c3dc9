"""The event clock of an endpoint: a watermark, and how far from it a time may lie.

- The watermark is the latest time that was accepted; it never goes back.
- A time more than 5 minutes ahead of the control clock is refused: it would move the watermark where nothing is yet.
- So is one that lies further before the watermark than the allowed lateness.
- An endpoint that replays history is told times freely.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from lockgate.predictionlog.segments import Kind, list_segments, read_records
from lockgate.records.outcome import Event, Outcome
from lockgate.records.prediction import Prediction
from lockgate.serving.moments import from_micros, micros
from lockgate.serving.shape import Check, Trouble

__all__ = ["AHEAD", "EventClock", "latest_logged"]

AHEAD = timedelta(minutes=5)
"""How far ahead of the control clock a sender's clock may be."""

_SECOND = 1_000_000
_SEGMENTS = 2


class EventClock:
    """Keeps the watermark.

    Args:
        replay: whether times are told freely.
        watermark: where it stood, in microseconds; None where nothing was accepted yet.
    """

    def __init__(self, *, replay: bool, watermark: int | None = None) -> None:
        self.replay = replay
        self.watermark = watermark

    def move(self, moments: Iterable[int]) -> None:
        """Take in accepted times."""
        latest = max(moments)
        if self.watermark is None or latest > self.watermark:
            self.watermark = latest

    def bounds(self, name: str, now: datetime, lateness: timedelta | None) -> dict[str, Check]:
        """Give the check of a field that holds an event time; none for an endpoint that replays.

        Args:
            name: the field's.
            now: by the control clock.
            lateness: how far before the watermark it may lie; None for any distance.
        """
        if self.replay:
            return {}
        latest = micros(now + AHEAD)
        earliest = None
        if self.watermark is not None and lateness is not None:
            earliest = self.watermark - round(lateness.total_seconds() * _SECOND)

        def check(moment: datetime) -> Trouble | None:
            asked = micros(moment)
            if asked > latest:
                expected = f"a time up to {_said(latest)}, 5 minutes ahead of this machine's clock"
                return Trouble(expected, moment.isoformat())
            if earliest is not None and asked < earliest:
                expected = f"a time from {_said(earliest)} on, at most {lateness} before the latest one accepted"
                return Trouble(expected, moment.isoformat())
            return None

        return {name: check}


def latest_logged(folder: Path) -> int | None:
    """Give the latest accepted time in the newest segments of a log: where its watermark stood.

    Raises:
        Corrupt: one of them is damaged.
    """
    asked = (one.asked_at for path in _newest(folder, Kind.PREDICTION) for _, one in read_records(path, Prediction))
    observed = (one.observed_at for path in _newest(folder, Kind.OUTCOME) for _, one in read_records(path, Outcome))
    told = (
        min(one.event_time, one.available_time)
        for path in _newest(folder, Kind.EVENT)
        for _, one in read_records(path, Event)
    )
    return max((moment for moments in (asked, observed, told) for moment in moments), default=None)


def _newest(folder: Path, kind: Kind) -> list[Path]:
    return [folder / segment.name for segment in list_segments(folder, kind)[-_SEGMENTS:]]


def _said(moment: int) -> str:
    return from_micros(moment).isoformat()
