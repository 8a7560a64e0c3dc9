"""The rows of the as-served join, what joins them: ours, and what a careful hand writes in Polars.

`python -m benchmarks.data.joining FOLDER` joins the files of a folder in a process of its own, as the peer does: it
writes `ours.parquet` and prints seconds and peak memory.
"""

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.data.sizes import Sizes
from lockgate.features.known import known_rows, stamped
from lockgate.features.offline import as_served
from lockgate.records.features import (
    FeatureSet,
    Field,
    FieldKind,
    Lookup,
    LookupColumn,
    RequestSpec,
)
from lockgate.records.source import Reader, ReaderKind, SourceSpec

__all__ = ["COLUMNS", "by_hand", "ours", "requests_of", "rows_of"]

COLUMNS = tuple(f"v{number}" for number in range(10))

START = datetime(2024, 1, 1, tzinfo=UTC)
_SPAN = timedelta(days=90) // timedelta(microseconds=1)
_MOMENT = pl.Datetime("us", "UTC")

REQUEST = RequestSpec(
    name="Question",
    key="question",
    asked_at="asked",
    history="questions",
    lateness=timedelta(days=7),
    fields=(
        Field(name="question", kind=FieldKind.INT),
        Field(name="key", kind=FieldKind.INT),
        Field(name="asked", kind=FieldKind.TIME),
    ),
)

FEATURES = FeatureSet(
    timezone="UTC",
    lookups=(
        Lookup(
            source="rows",
            by="key",
            columns=tuple(LookupColumn(name=column, type=FieldKind.FLOAT) for column in COLUMNS),
            clocked=True,
        ),
    ),
    features=(),
    columns=(),
)

SOURCE = SourceSpec(
    name="rows",
    reader=Reader(kind=ReaderKind.FUNCTION, where="made:rows"),
    key="key",
    event_time="event",
    available_time="available",
)


def rows_of(sizes: Sizes) -> pl.DataFrame:
    """Give the rows: each known within a minute of its event, one in ten only hours later."""
    random = np.random.default_rng(3)
    count = sizes.joined
    event = _distinct(random, count)
    late = random.random(count) < 0.1
    delay = np.where(late, random.exponential(6 * 3600e6, count), random.uniform(0, 60e6, count)).astype(np.int64)
    return pl.DataFrame(
        {
            "key": random.integers(0, sizes.entities, count),
            "event": _moments(event),
            "available": _moments(event + delay),
            **{column: random.normal(size=count) for column in COLUMNS},
        }
    )


def requests_of(sizes: Sizes) -> pl.DataFrame:
    """Give the requests, in no order; no two are asked in one microsecond."""
    random = np.random.default_rng(4)
    return pl.DataFrame(
        {
            "question": np.arange(sizes.requests),
            "key": random.integers(0, sizes.entities, sizes.requests),
            "asked": _moments(_distinct(random, sizes.requests)),
        }
    )


def ours(requests: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Join as the product does."""
    return as_served(requests, REQUEST, FEATURES, {"rows": (SOURCE, stamped(SOURCE, rows.lazy()).collect())})


def _served(requests: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    return as_served(requests, REQUEST, FEATURES, {"rows": (SOURCE, rows)})


def by_hand(requests: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Join as a careful hand writes it: rows that ever won, then the last of them available when asked."""
    served = rows.sort("available", "event").filter(pl.col("event") >= pl.col("event").cum_max().over("key"))
    return requests.sort("asked").join_asof(
        served, left_on="asked", right_on="available", by="key", check_sortedness=False
    )


def _distinct(random: np.random.Generator, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Give as many different microseconds, in no order."""
    found = np.unique(random.integers(0, _SPAN, count + count // 100 + 10))
    return random.permutation(found)[:count]


def _moments(micros: np.ndarray[tuple[int], np.dtype[np.int64]]) -> pl.Series:
    start = int(START.timestamp()) * 1_000_000
    return pl.Series(micros + start, dtype=pl.Int64).cast(_MOMENT)


def main(folder: Path) -> None:
    """Join the files of a folder."""
    began = time.perf_counter()
    rows = known_rows(SOURCE, [(str(folder / "rows.parquet"), None)]).collect()
    joined = _served(pl.read_parquet(folder / "requests.parquet"), rows)
    seconds = time.perf_counter() - began
    peak = _peak_mib()
    joined.write_parquet(folder / "ours.parquet")
    print(json.dumps({"seconds": seconds, "peak_mib": peak, "rows": joined.height}))


def _peak_mib() -> float:
    """Give the most memory that this program had; `ru_maxrss` would hold what the one that started it had, too."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
