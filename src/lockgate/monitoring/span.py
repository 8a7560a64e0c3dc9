"""Which predictions are meant by "the last seven days": those up to the endpoint's watermark, by the event clock."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec

from lockgate.predictionlog import reading

__all__ = ["Span", "Survey", "survey"]

_NEVER = 1 << 63


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Asked after `since` and up to `until`, in microseconds; None where nothing was asked."""

    since: int | None
    until: int | None

    def holds(self, asked_at: int) -> bool:
        """Tell whether a question asked then is meant."""
        return self.since is not None and self.until is not None and self.since < asked_at <= self.until


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """The last part of a log, and who answered in it."""

    # Which predictions are meant.
    span: Span
    # The digests of the releases that answered, 32 bytes each.
    releases: frozenset[bytes]
    # How many predictions the whole log holds.
    logged: int


def survey(folder: Path, last: timedelta | None = None) -> Survey:
    """Look through a log for its last part, up to its watermark.

    Args:
        folder: the endpoint's log; it may not exist yet.
        last: how long; None for all of it.
    """
    earliest, watermark, logged = _NEVER, -_NEVER, 0
    answered: dict[bytes, int] = {}
    for one in reading.predictions(folder):
        logged += 1
        earliest, watermark = min(earliest, one.asked_at), max(watermark, one.asked_at)
        answered[one.release] = max(one.asked_at, answered.get(one.release, one.asked_at))
    if not logged:
        return Survey(span=Span(since=None, until=None), releases=frozenset(), logged=0)
    watermark = max(watermark, max(_told(folder), default=watermark))
    since = earliest - 1 if last is None else watermark - last // timedelta(microseconds=1)
    releases = frozenset(release for release, asked in answered.items() if asked > since)
    return Survey(span=Span(since=since, until=watermark), releases=releases, logged=logged)


def _told(folder: Path) -> Iterator[int]:
    for row in reading.events(folder):
        yield min(row.event_time, row.available_time)
    for word in reading.outcomes(folder):
        yield word.observed_at
