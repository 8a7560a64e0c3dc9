"""What the prediction log costs: a record written before its reply, a record read back, an id found."""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

from benchmarks.harness import Figure, main
from lockgate.kernel.ids import IdMaker
from lockgate.predictionlog.index import LogIndex
from lockgate.predictionlog.reading import predictions
from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.writer import Durability, SegmentWriter
from lockgate.records.prediction import Known, Prediction

# About what the flight example logs: 14 fields, two lookups, 20 columns.
RECORDS = 64_000
GOAL = 4.0


def batch(maker: IdMaker, count: int) -> list[Prediction]:
    """Make predictions as a batch of requests gives them."""
    rng = random.Random(count)
    now = int(datetime.now(UTC).timestamp() * 1_000_000)
    return [
        Prediction(
            id=id_,
            release=bytes(range(32)),
            plan=7,
            key=f"UA-1545-{n}",
            asked_at=now,
            received_at=now,
            row=("EWR", "IAH", "UA", 1545, 1400.0, now, now, "N14228", None, 2, 4, 227.0, True, 8),
            known=(
                Known("weather", (rng.random(), rng.random(), None, rng.random()), now, now),
                Known("planes", (2004, 149), None, None),
            ),
            x=tuple(rng.random() for _ in range(20)),
            score=rng.random(),
            value=False,
            unseen=(),
            by="benchmark",
        )
        for n, id_ in enumerate(maker.make(count, now // 1000))
    ]


def written(folder: Path, size: int, durability: Durability = Durability.OS, count: int = RECORDS) -> float:
    """Give microseconds per record, the median of the batches; what is not writing is not timed."""
    maker, times = IdMaker(size), []
    log = SegmentWriter(folder, "benchmark", Kind.PREDICTION, size, lambda: datetime.now(UTC), durability=durability)
    records = batch(maker, size)
    for _ in range(count // size):
        fresh = [msgspec.structs.replace(r, id=i) for r, i in zip(records, maker.make(size, 0), strict=True)]
        start = time.perf_counter()
        log.append(fresh)
        times.append(time.perf_counter() - start)
    log.close()
    return statistics.median(times) / size * 1e6


def seconds(function: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def found(folder: Path) -> list[Figure]:
    """Time the index over all that was written."""
    every = [record.id for record in predictions(folder)]
    index, some = LogIndex(folder), random.Random(1).sample(every, 2_000)
    built = seconds(lambda: [index.has(id_) for id_ in (every[0], every[-1], *some)])
    times = sorted(seconds(partial(index.find, id_)) * 1e6 for id_ in some)
    return [
        Figure(name="index built, and 2,002 ids found", value=built, unit="s"),
        Figure(name="find, median", value=statistics.median(times), unit="us"),
        Figure(
            name="find, 99th percentile",
            value=times[len(times) * 99 // 100],
            unit="us",
            goal="at most 100,000 us",
            met=times[len(times) * 99 // 100] <= 100_000,
        ),
    ]


def measure() -> Sequence[Figure]:
    """Write, read and find."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = []
        for size in (1, 4, 16, 64, 256):
            cost = written(folder, size)
            goal = (f"at most {GOAL:g} us", cost <= GOAL) if size == 16 else (None, None)
            figures.append(
                Figure(name=f"append, batches of {size}", value=cost, unit="us/record", goal=goal[0], met=goal[1])
            )
        cost = written(folder, 64, Durability.GROUP, 6_400)
        figures.append(Figure(name="append, batches of 64, group", value=cost, unit="us/record"))
        total = sum(1 for _ in predictions(folder))
        read = seconds(lambda: sum(1 for _ in predictions(folder)))
        figures.append(Figure(name="read", value=read / total * 1e6, unit="us/record"))
        length = sum(path.stat().st_size for path in folder.iterdir()) / total
        return [*figures, Figure(name="size of a record", value=length, unit="bytes"), *found(folder)]


if __name__ == "__main__":
    main(measure, description=__doc__, packages=("lockgate", "msgspec"))
