"""A small project as text, mistakes to make in it, and a way to load it that leaves no trace in this process.

Will this delivery be late? Tables are read from nowhere: tests hand over frames of their own (`history`).
"""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from lockgate.features.known import AVAILABLE
from lockgate.project.bind import bind
from lockgate.project.blueprint import Blueprint
from lockgate.project.compile import Compiled
from lockgate.project.load import load
from lockgate.records.features import FeatureSet
from lockgate.records.source import SourceSpec
from lockgate.sources.read import kind_of_type
from tests.making.readers import known

__all__ = ["PROJECT", "START", "TABLES", "blueprint", "bound", "history", "load_text", "traceless", "write_project"]

START = datetime(2024, 3, 1, tzinfo=UTC)

PROJECT = '''"""Will this delivery be late?"""

from datetime import datetime, timedelta as span

import lockgate as lg
import tables

project = lg.Project("deliveries", owner="tests", timezone="America/New_York")

orders = project.source(tables.orders, key="order_id", event_time="asked", available_delay=span(0))
arrivals = project.source(tables.arrivals, key="order_id", event_time="asked", available_time="arrived")
traffic = project.source(
    tables.traffic, key="depot", event_time="hour", available_delay=span(minutes=30), stale_after=span(hours=3)
)
vans = project.table(tables.vans, key="van")
orders.expect(lg.unique("order_id"), lg.missing("van", at_most=0.5), lg.between("weight", 0, 1000))


@project.request(key="order_id", asked_at="asked", history=orders)
class Order:
    order_id: str
    asked: datetime
    depot: lg.Category = lg.field(unseen="refuse")
    van: str | None
    weight: float = lg.field(between=(0, 1000))
    parcels: int | None


@project.outcome(arrivals, final_after=span(hours=12))
def late(minutes: float) -> bool:
    return minutes > 30


@project.feature
def hour(asked: datetime) -> int:
    return asked.hour


@project.feature
def rush(hour: int) -> bool:
    return 7 <= hour < 10


@project.feature(version=2)
def van_age(asked: datetime, built: int | None = vans["built"]) -> int | None:
    return None if built is None else asked.year - built


@project.feature
def each(weight: float, parcels: int | None) -> float | None:
    return weight / parcels


@project.model(
    late,
    test=lg.last(span(days=3)),
    parameters={"strength": 1.5},
    features=[lg.fields("depot", "weight"), hour, rush, van_age, each, traffic["jams", "mood"]],
)
def fit(training: lg.TrainingSet, parameters: lg.Parameters) -> lg.Fitted:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=5,
        l2_regularization=parameters["strength"],
        categorical_features=list(training.categorical),
        random_state=0,
    )
    return lg.fitted(model.fit(training.x, training.y), share=float(training.y.mean()))


project.gate(
    lg.metric("roc_auc", at_least=0.6),
    lg.metric("roc_auc", at_least=0.5, by="depot"),
    lg.no_worse_than_live("log_loss", by=0.1),
)
'''

TABLES = '''"""Functions that a project names; these read nothing."""


def orders():
    raise NotImplementedError


def arrivals():
    raise NotImplementedError


def traffic():
    raise NotImplementedError


def vans():
    raise NotImplementedError
'''


@contextmanager
def traceless() -> Iterator[None]:
    """Take back what loading does to this process: the user's modules and the path they were found on."""
    path, modules = list(sys.path), set(sys.modules)
    for name in ("project", "tables"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - modules | {"project", "tables"}:
            if name.partition(".")[0] in {"project", "tables", "elsewhere"}:
                sys.modules.pop(name, None)


def write_project(folder: Path, project: str = PROJECT, tables: str = TABLES) -> Path:
    """Write a project into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.py").write_text(project, encoding="utf-8")
    (folder / "tables.py").write_text(tables, encoding="utf-8")
    return folder


def load_text(folder: Path, project: str = PROJECT, tables: str = TABLES) -> Compiled:
    """Write a project into a folder and load it."""
    write_project(folder, project, tables)
    with traceless():
        return load(folder)


@cache
def blueprint() -> Blueprint:
    """Give the project, compiled."""
    with TemporaryDirectory() as folder:
        return load_text(Path(folder)).blueprint


@cache
def bound() -> FeatureSet:
    """Give its feature set with the types of `history`."""
    kinds = {
        name: {column: kind_of_type(kind) for column, kind in frame.drop(AVAILABLE, strict=False).schema.items()}
        for name, (_, frame) in history().items()
    }
    return bind(blueprint(), kinds, {})


def history(*, orders: int = 600, days: int = 14, seed: int = 0) -> dict[str, tuple[SourceSpec, pl.DataFrame]]:
    """Give the project's sources: orders over some days, asked in order; one in ten never arrives."""
    rng = np.random.default_rng(seed)
    minutes = np.sort(rng.choice(days * 24 * 60, orders, replace=False))
    asked = [START + timedelta(minutes=int(one)) for one in minutes]
    weight = rng.uniform(1, 100, orders).round(3)
    took = (weight + rng.normal(0, 25, orders)).round(2)
    took = np.clip(took, 1, 500)
    ids = [f"o{number:05}" for number in range(orders)]
    moment = pl.Datetime("us", "UTC")
    frames = {
        "orders": pl.DataFrame(
            {
                "order_id": ids,
                "asked": asked,
                "depot": rng.choice(["east", "north", "west"], orders),
                "van": [None if one == 5 else f"van-{one}" for one in rng.integers(0, 6, orders)],
                "weight": weight,
                "parcels": rng.integers(0, 5, orders),
            },
            schema_overrides={"asked": moment},
        ),
        "arrivals": pl.DataFrame(
            {
                "order_id": ids,
                "asked": asked,
                "minutes": took,
                "arrived": [
                    one + timedelta(minutes=60 + float(lasted)) for one, lasted in zip(asked, took, strict=True)
                ],
            },
            schema_overrides={"asked": moment, "arrived": moment},
        ).filter(pl.Series(rng.uniform(size=orders) > 0.1)),
        "traffic": pl.DataFrame(
            {
                "depot": [depot for _ in range(days * 24) for depot in ("east", "north")],
                "hour": [START + timedelta(hours=n) for n in range(days * 24) for _ in range(2)],
                "jams": rng.integers(0, 20, days * 48),
                "mood": rng.choice(["calm", "wild"], days * 48),
            },
            schema_overrides={"hour": moment},
        ),
        "vans": pl.DataFrame({"van": [f"van-{n}" for n in range(4)], "built": [2010, 2015, None, 2020]}),
    }
    return {name: (blueprint().source(name), known(blueprint().source(name), frame)) for name, frame in frames.items()}
