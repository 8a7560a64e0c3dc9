"""Takes outcomes: what really happened, by prediction id, or by key and time asked.

All words of a request are taken or none. The id of a prediction must stand in the log. Which word counts is not asked
here (`predictionlog.outcomes`).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from lockgate.predictionlog.index import LogIndex
from lockgate.records.features import Field, FieldKind
from lockgate.records.outcome import Outcome
from lockgate.records.package import Contract
from lockgate.serving.decode import BodyReader
from lockgate.serving.eventclock import EventClock
from lockgate.serving.faults import shown
from lockgate.serving.moments import micros
from lockgate.serving.shape import Check, Shape, Trouble, slot_of

__all__ = ["OutcomeReader"]


class OutcomeReader:
    """Reads bodies of outcomes for one contract.

    Args:
        endpoint: whose outcomes.
        contract: of the version that is live.
        replay: whether the endpoint replays; when an outcome was observed must be said then.
    """

    def __init__(self, endpoint: str, contract: Contract, *, replay: bool) -> None:
        self._endpoint = endpoint
        key = contract.request.field(contract.request.key)
        returns = contract.outcome.returns
        # A number is a number: an outcome that counts something may come as 3.0.
        value = FieldKind.BOOL if returns is FieldKind.BOOL else FieldKind.FLOAT
        slots = (
            slot_of(Field(name="prediction", kind=FieldKind.TEXT, nullable=True), key=True),
            slot_of(Field(name="key", kind=key.kind, nullable=True), key=True),
            slot_of(Field(name="asked_at", kind=FieldKind.TIME, nullable=True)),
            slot_of(Field(name="value", kind=value)),
            slot_of(Field(name="observed_at", kind=FieldKind.TIME, nullable=not replay)),
            slot_of(Field(name="revision", kind=FieldKind.INT, nullable=True)),
        )
        shape = Shape(f"an outcome of {endpoint}", slots)
        self._reader = BodyReader("outcomes", shape, endpoint=True, across=_one_target)

    def read(self, body: bytes, *, index: LogIndex, clock: EventClock, now: datetime, by: str) -> list[Outcome]:
        """Read the outcomes of a request; searches the log, so not for the loop.

        Raises:
            Malformed, TooLarge, Invalid: as `BodyReader`.
            Corrupt: the log is damaged where it had to be searched.
        """
        checks = {"prediction": self._logged(index.has), **clock.bounds("observed_at", now, None)}
        received = micros(now)
        return [_outcome(row, received, by) for row in self._reader.read(body, checks)]

    def _logged(self, has: Callable[[str], bool]) -> Check:
        def check(prediction: str) -> Trouble | None:
            if has(prediction):
                return None
            return Trouble(f"the id of a prediction of {self._endpoint}", shown(prediction))

        return check


def _one_target(get: Callable[[str], Any]) -> Trouble | None:
    by_key = get("key") is not None and get("asked_at") is not None
    by_half = get("key") is not None or get("asked_at") is not None
    if (get("prediction") is not None and not by_half) or (get("prediction") is None and by_key):
        return None
    sent = [name for name in ("prediction", "key", "asked_at") if get(name) is not None]
    return Trouble("either prediction, or key and asked_at", " and ".join(sent) or "none of them")


def _outcome(row: tuple[Any, ...], received: int, by: str) -> Outcome:
    prediction, key, asked_at, value, observed_at, revision = row
    return Outcome(
        prediction,
        key,
        None if asked_at is None else micros(asked_at),
        value,
        received if observed_at is None else micros(observed_at),
        revision,
        received,
        by,
    )
