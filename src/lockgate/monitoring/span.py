"""Which predictions are meant by "the last seven days": those up to the endpoint's watermark, by the event clock."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec

from lockgate.predictionlog import reading

__all__ = ["Span", "span_of"]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Asked after `since` and up to `until`, in microseconds; None where nothing was asked."""

    since: int | None
    until: int | None

    def holds(self, asked_at: int) -> bool:
        """Tell whether a question asked then is meant."""
        return self.since is not None and self.until is not None and self.since < asked_at <= self.until


def span_of(folder: Path, last: timedelta | None) -> Span:
    """Give the last part of a log, up to its watermark.

    Args:
        folder: the endpoint's log; it may not exist yet.
        last: how long; None for all of it.
    """
    earliest: int | None = None
    watermark: int | None = None
    for one in reading.predictions(folder):
        earliest = one.asked_at if earliest is None else min(earliest, one.asked_at)
        watermark = one.asked_at if watermark is None else max(watermark, one.asked_at)
    if earliest is None or watermark is None:
        return Span(since=None, until=None)
    watermark = max(watermark, max(_told(folder), default=watermark))
    if last is None:
        return Span(since=earliest - 1, until=watermark)
    return Span(since=watermark - last // timedelta(microseconds=1), until=watermark)


def _told(folder: Path) -> Iterator[int]:
    for row in reading.events(folder):
        yield min(row.event_time, row.available_time)
    for word in reading.outcomes(folder):
        yield word.observed_at
