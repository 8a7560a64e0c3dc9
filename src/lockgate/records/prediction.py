"""A prediction as it stands in the log, written before the reply; positions, not names, are stored (docs/spec/log.md).

Times are integers: microseconds since 1970, UTC.
"""

from typing import Any

import msgspec

__all__ = ["Known", "Prediction"]


class Known(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What a lookup or a window gave, and when it was known."""

    # The source of a lookup, or the window's name.
    source: str
    # The values, in the order of its columns; None for each where nothing was known.
    values: tuple[Any, ...]
    # When the row that gave them happened, and when it could first be known; of a window, the newest row that counted.
    # None for a table or where none was known.
    event_time: int | None
    available_time: int | None


class Prediction(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One answer, with all that led to it."""

    # The prediction's id.
    id: str
    # The digest of the release that answered, its 32 bytes.
    release: bytes
    # The number of the traffic plan in force.
    plan: int
    # What was asked about: the value of the request's key field.
    key: str | int
    # When it was asked, event clock.
    asked_at: int
    # When it was received, control clock.
    received_at: int
    # The request's fields after parsing, in the order of the contract; times in microseconds.
    row: tuple[Any, ...]
    # What was looked up, in the order of the feature set, then what its windows gave.
    known: tuple[Known, ...]
    # What the model saw, in the order of its columns; None for NaN.
    x: tuple[float | None, ...]
    # What the model said: a probability for `binary`, the number itself for `regression`.
    score: float
    # What was answered.
    value: bool | float
    # Fields whose category was not in the vocabulary.
    unseen: tuple[str, ...]
    # Who asked.
    by: str
    # The caller's `Idempotency-Key`, where one was sent.
    retry_key: str | None = None
