"""Wrote the segments beside it, with Lockgate 0.1. Run once: their bytes never change, and later releases read them."""

from datetime import UTC, datetime
from pathlib import Path

from lockgate.kernel.clock import Clock
from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.writer import SegmentWriter
from lockgate.records.outcome import Event, Outcome
from lockgate.records.prediction import Known, Prediction

HERE = Path(__file__).parent
AT = 1_362_124_800_000_000
CLOCK: Clock = lambda: datetime(2013, 3, 1, 8, tzinfo=UTC)  # noqa: E731 - typed as what it stands for

PREDICTIONS = [
    Prediction(
        id="013d24f7-0000-7000-8003-0123456789ab",
        release=bytes(range(32)),
        plan=12,
        key="UA-1545-2013-03-01",
        asked_at=AT,
        received_at=AT + 1,
        row=("EWR", 1400.0, None, 1_362_125_000_000_000, True, -3),
        known=(Known("weather", (10.5, None), AT - 7_200_000_000, AT - 3_600_000_000), Known("planes", (), None, None)),
        x=(0.25, None, -1e300),
        score=0.375,
        value=False,
        unseen=("carrier",),
        by="tests",
        retry_key="again-1",
    ),
    Prediction(
        id="013d24f7-0000-7001-8003-ba9876543210",
        release=bytes(32),
        plan=13,
        key=-7,
        asked_at=AT,
        received_at=AT + 2,
        row=("Zürich ✈",),
        known=(),
        x=(),
        score=17.5,
        value=17.5,
        unseen=(),
        by="tests",
    ),
]
OUTCOMES = [
    Outcome(
        prediction="013d24f7-0000-7000-8003-0123456789ab",
        key=None,
        asked_at=None,
        value=True,
        observed_at=AT + 3,
        revision=None,
        received_at=AT + 4,
        by="tests",
    ),
    Outcome(
        prediction=None,
        key=-7,
        asked_at=AT,
        value=18.25,
        observed_at=AT + 3,
        revision=2,
        received_at=AT + 5,
        by="tests",
    ),
]
EVENTS = [
    Event(
        source="weather",
        key="EWR",
        event_time=AT,
        available_time=AT + 6,
        values={"wind_speed": 10.5, "code": "x", "gusts": None, "calm": False, "hour": 8},
        received_at=AT + 7,
        by="tests",
    ),
    Event(source="planes", key=5, event_time=AT, available_time=AT, values={}, received_at=AT + 8, by="tests"),
]


def write(folder: Path) -> None:
    """Write one segment of each kind, named after it."""
    for kind, records in ((Kind.PREDICTION, PREDICTIONS), (Kind.OUTCOME, OUTCOMES), (Kind.EVENT, EVENTS)):
        log = SegmentWriter(folder, "flight-delay", kind, 3, CLOCK)
        log.append(records)
        log.close()
        for path in folder.glob(f"{kind.value}-*.seg"):
            path.rename(folder / f"{kind.value}.seg")


if __name__ == "__main__":
    write(HERE)
