"""Row features of one request and of many rows: the fused closure of a declared project of twenty features.

- Online: the closure alone, over distinct requests; the fastest of several rounds, for one request on average. Reading
  the request's JSON and encoding the row are not in it.
- Offline: the same closure over rows of a frame, 14 features, in this process on one core, and in two processes, in
  turns; with enough rows that starting two processes, which is in their time, does not decide.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from msgspec.structs import replace

from benchmarks.data.sizes import Run
from benchmarks.harness import Figure, at_least, at_most, interleave
from lockgate.features.matrix import localised
from lockgate.features.online import fuse
from lockgate.features.shards import run_sharded
from lockgate.project.load import load
from lockgate.records.features import FeatureSet, RequestSpec

__all__ = ["measure"]

_PROJECT = Path(__file__).parent / "rides"
_FEWER = 14


def measure(run: Run) -> list[Figure]:
    """Measure row features."""
    request, features = declared()
    rows = rows_of(max(run.sizes.asked, run.sizes.computed))
    fewer = first_of(features, _FEWER)
    return [
        *(_online(request, one, rows.head(run.sizes.asked), run.sizes.rounds) for one in (fewer, features)),
        *_offline(request, fewer, rows.head(run.sizes.computed), min(3, run.sizes.rounds)),
    ]


def declared() -> tuple[RequestSpec, FeatureSet]:
    """Load the project of rides; give what it asks and its twenty features."""
    with _traceless():
        blueprint = load(_PROJECT).blueprint
    return blueprint.request, blueprint.features


def first_of(features: FeatureSet, count: int) -> FeatureSet:
    """Give the first features of a set; those that they read come before them."""
    return replace(features, features=features.features[:count], columns=features.columns[:count])


def rows_of(count: int) -> pl.DataFrame:
    """Give rides: nulls, zeros and texts of all kinds among them."""
    random = np.random.default_rng(2)
    start = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    asked = start + random.integers(0, 365 * 86_400_000_000, count)
    degrees = {
        f"{end}_{what}": middle + random.normal(0, 0.2, count)
        for end in ("from", "to")
        for what, middle in (("latitude", 40.7), ("longitude", -74.0))
    }
    frame = pl.DataFrame(
        {
            "ride_id": np.arange(count),
            "asked": pl.Series(asked).cast(pl.Datetime("us", "UTC")),
            "amount": random.lognormal(3, 1, count),
            "limit": random.choice([0.0, 50.0, 200.0, 1000.0], count),
            "visits": random.integers(0, 9, count),
            "minutes": random.lognormal(2.5, 1, count),
            **degrees,
            "kind": random.choice(["economy", "comfort", "van", "lux", "boat"], count),
            "email": random.choice(["ann@gmail.com", "bob@example.org", "Zoë@firma.de", ""], count),
        }
    )
    holes = {name: pl.Series(random.random(count) < 0.05) for name in ("amount", "limit", "visits", "kind", "email")}
    return frame.with_columns(pl.when(hole).then(None).otherwise(name).alias(name) for name, hole in holes.items())


def _online(request: RequestSpec, features: FeatureSet, rows: pl.DataFrame, rounds: int) -> Figure:
    fused = fuse(request, features)
    local = rows.with_columns(pl.col(request.asked_at).dt.convert_time_zone(features.timezone))
    questions = local.select(field.name for field in request.fields).rows()

    def all_of_them() -> None:
        for row in questions:
            fused(row, ())

    each = min(_seconds(all_of_them) for _ in range(rounds)) / len(questions) * 1e6
    name = f"features: {len(features.features)} of one request, online"
    return at_most(name, each, "µs", 5, f"fastest of {rounds} rounds over {len(questions):,} requests")


def _offline(request: RequestSpec, features: FeatureSet, rows: pl.DataFrame, rounds: int) -> list[Figure]:
    local = localised(rows, request, features)
    run = partial(run_sharded, local, request, features, enough=1)
    one, two = partial(run, processes=1), partial(run, processes=2)
    began = time.process_time()
    alone = one()
    pace = rows.height / (time.process_time() - began) / 1e6
    differ = 0 if alone.equals(two()) else rows.height
    compared = interleave(two, one, rounds=rounds, warmup=0)
    name = f"features: {len(features.features)} of history"
    busy = f"starting them is in it; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    return [
        at_most(f"{name}, rows that differ on two processes", differ, "of them", 0, f"{rows.height:,} rows"),
        at_least(f"{name}, one process", pace, "M rows/s", 0.12, "by the second of CPU"),
        at_least(f"{name}, two processes / one", compared.ratio, "x", 1.7, busy),
    ]


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def _traceless() -> Iterator[None]:
    """Take back what loading a project does to this process."""
    path = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = path
        sys.modules.pop("project", None)
