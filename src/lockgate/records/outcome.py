"""What really happened, as it stands in the log. All words are kept; the last one counts.

The last word on a prediction is the one with the highest `revision` given by the sender, else the last received.
"""

import msgspec

__all__ = ["Event", "Outcome"]


class Outcome(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One word on what happened, by prediction id, or by key and time asked."""

    # The prediction's id; None where it comes by key.
    prediction: str | None
    # The key and the time asked (microseconds), where it does not come by id.
    key: str | int | None
    asked_at: int | None
    # What happened.
    value: bool | float
    # When it could be known, event clock; microseconds.
    observed_at: int
    # Given by a sender who corrects himself; None for none.
    revision: int | None
    # When it was received, control clock; microseconds.
    received_at: int
    # Who said so.
    by: str


class Event(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """One row of a source, posted to the online store."""

    # The source.
    source: str
    # The entity.
    key: str | int
    # When it happened, and when it could first be known; microseconds.
    event_time: int
    available_time: int
    # The columns sent.
    values: dict[str, str | int | float | bool | None]
    # When it was received, control clock; microseconds.
    received_at: int
    # Who said so.
    by: str
