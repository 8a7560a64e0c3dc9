"""Records and logs to test with."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from lockgate.kernel.ids import IdMaker
from lockgate.predictionlog.segments import Kind, list_segments
from lockgate.predictionlog.writer import Durability, Rotation, SegmentWriter
from lockgate.records.outcome import Event, Outcome
from lockgate.records.prediction import Known, Prediction

START = datetime(2013, 3, 1, 8, tzinfo=UTC)
MICROSECONDS = 1_362_124_800_000_000


class Hands:
    """A clock that goes where it is told."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def on(self, span: timedelta) -> None:
        self.now += span


def prediction(
    id_: str,
    *,
    key: str | int = "UA-1",
    asked_at: int = MICROSECONDS,
    received_at: int = MICROSECONDS,
    row: tuple[object, ...] = ("EWR", 1.5, None, True),
) -> Prediction:
    return Prediction(
        id=id_,
        release=bytes(range(32)),
        plan=3,
        key=key,
        asked_at=asked_at,
        received_at=received_at,
        row=row,
        known=(Known("weather", (1.0, None), 5, 6),),
        x=(0.1, None),
        score=0.25,
        value=False,
        unseen=("carrier",),
        by="tests",
    )


def ids(count: int, worker: int = 0, milliseconds: int = MICROSECONDS // 1000) -> list[str]:
    return IdMaker(worker).make(count, milliseconds)


def predictions(count: int, worker: int = 0) -> list[Prediction]:
    return [prediction(id_, key=place) for place, id_ in enumerate(ids(count, worker))]


def outcome(
    *,
    id_: str | None = None,
    key: str | int | None = None,
    asked_at: int | None = None,
    value: bool | float = True,
    revision: int | None = None,
    received_at: int = MICROSECONDS,
) -> Outcome:
    return Outcome(
        prediction=id_,
        key=key,
        asked_at=asked_at,
        value=value,
        observed_at=MICROSECONDS,
        revision=revision,
        received_at=received_at,
        by="tests",
    )


def event(key: str | int) -> Event:
    return Event(
        source="weather",
        key=key,
        event_time=1,
        available_time=2,
        values={"wind": 3.5, "rain": None, "code": "x", "calm": False, "n": 7},
        received_at=3,
        by="tests",
    )


def writer(
    folder: Path,
    kind: Kind = Kind.PREDICTION,
    worker: int = 0,
    clock: Hands | None = None,
    durability: Durability = Durability.OS,
    rotation: Rotation | None = None,
) -> SegmentWriter:
    return SegmentWriter(
        folder,
        "flight-delay",
        kind,
        worker,
        clock or Hands(),
        durability=durability,
        rotation=rotation or Rotation(),
    )


def log_outcomes(folder: Path, words: Sequence[Outcome], worker: int = 0) -> None:
    log = writer(folder, Kind.OUTCOME, worker)
    log.append(words)
    log.close()


def log_predictions(folder: Path, records: Sequence[Prediction], worker: int = 0) -> None:
    log = writer(folder, worker=worker)
    log.append(records)
    log.close()


def segments_of(folder: Path, kind: Kind = Kind.PREDICTION) -> list[Path]:
    return [folder / segment.name for segment in list_segments(folder, kind)]
