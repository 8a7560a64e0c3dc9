"""A small project, with data of its own outside of its code: will this parcel come late?

Its data is deterministic. Files in the data folder change what it does, so that a test can plant a fault without
changing the code: `break` raises while a source is read, `slow` makes the fit wait, `break-fit` makes it raise and
`kill-fit` die, each after it has told something of itself; `fits.log` counts fits.
"""

import subprocess
from pathlib import Path

import numpy as np
import polars as pl

__all__ = ["commit", "make_project", "write_data"]

_PROJECT = '''"""Will this parcel come late?"""

import os
import time
from datetime import datetime, timedelta as span
from pathlib import Path

import lockgate as lg
import tables

project = lg.Project("parcels", owner="tests", timezone="Europe/Amsterdam")

orders = project.source(tables.orders, key="parcel", event_time="sent_at", available_delay=span(0))
deliveries = project.source(tables.deliveries, key="parcel", event_time="sent_at", available_time="delivered_at")
weather = project.source(
    tables.weather, key="depot", event_time="hour", available_delay=span(minutes=30), stale_after=span(hours=6)
)
depots = project.table(tables.depots, key="depot")
orders.expect(lg.between("weight", 0, 100))


@project.request(key="parcel", asked_at="sent_at", history=orders)
class Parcel:
    parcel: str
    sent_at: datetime
    depot: lg.Category = lg.field(unseen="refuse")
    service: lg.Category = lg.field(unseen="other")
    weight: float = lg.field(between=(0, 100))
    insured: bool | None = None


@project.outcome(deliveries, final_after=span(hours=48))
def late(hours: float) -> bool:
    return hours > 24


@project.feature
def hour(sent_at: datetime) -> int:
    return sent_at.hour


@project.feature
def heavy(weight: float, hour: int) -> bool:
    return weight > 20 and hour > 12


@project.model(
    late,
    test=lg.last(span(days=10)),
    parameters={"trees": 12},
    features=[lg.fields("depot", "service", "weight"), hour, heavy, depots["staff"], weather["rain"]],
)
def fit(training: lg.TrainingSet, parameters: lg.Parameters) -> lg.Fitted:
    from sklearn.ensemble import HistGradientBoostingClassifier

    folder = Path(os.environ["PARCELS"])
    with (folder / "fits.log").open("a") as log:
        log.write(f"{os.getpid()} {sorted(os.environ)}\\n")
    (folder / "open").write_text("\\n".join(os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd")
                                          if os.path.exists(f"/proc/self/fd/{one}")))
    training.run.tag(team="tests")
    training.run.keep("about/columns.txt", "\\n".join(training.columns).encode())
    for step in range(3):
        training.run.log(step=step, loss=1 / (step + 1))
    training.run.log({"valid/bad": float("nan")})
    while (folder / "slow").exists():
        time.sleep(0.02)
    if (folder / "break-fit").exists():
        raise ValueError("the fit is broken")
    if (folder / "kill-fit").exists():
        os.kill(os.getpid(), 9)
    model = HistGradientBoostingClassifier(max_iter=parameters["trees"], random_state=0, early_stopping=False)
    return lg.fitted(model.fit(training.x, training.y), rows=len(training.y))


project.gate(lg.metric("roc_auc", at_least=0.6), lg.no_worse_than_live("roc_auc", by=0.05))
'''

_TABLES = '''"""Reads the tests' data."""

import os
import time
from pathlib import Path

import polars as pl


def orders() -> pl.DataFrame:
    return _read("orders")


def deliveries() -> pl.DataFrame:
    return _read("deliveries")


def weather() -> pl.DataFrame:
    return _read("weather")


def depots() -> pl.DataFrame:
    return _read("depots")


def _read(name: str) -> pl.DataFrame:
    folder = Path(os.environ["PARCELS"])
    if (folder / "break").exists():
        raise OSError("the warehouse is closed")
    while (folder / f"slow-{name}").exists():
        time.sleep(0.02)
    return pl.read_parquet(folder / f"{name}.parquet")
'''


def make_project(folder: Path, *, project: str = _PROJECT, tables: str = _TABLES) -> Path:
    """Write the project into a folder and commit it there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.py").write_text(project)
    (folder / "tables.py").write_text(tables)
    (folder / "README.md").write_text("Parcels.\n")
    _git(folder, "init", "-q", "-b", "main")
    commit(folder, "First model")
    return folder


def commit(folder: Path, message: str) -> None:
    """Commit everything in a project folder."""
    _git(folder, "add", "-A")
    _git(folder, "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-q", "--allow-empty", "-m", message)


def write_data(folder: Path, *, rows: int = 3000, days: int = 40, seed: int = 0) -> Path:
    """Write the data: orders over some days from 1 March 2026, and what came of them."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    begin = pl.datetime(2026, 3, 1, time_zone="UTC")
    minutes = np.sort(rng.integers(0, days * 24 * 60, rows))
    weight = rng.uniform(0.1, 40, rows).round(2)
    depot = rng.choice(["ams", "rtm", "utr"], rows)
    service = rng.choice(["day", "night"], rows)
    chance = 1 / (1 + np.exp(-(weight - 20) / 6 - (depot == "rtm")))
    hours = np.where(rng.uniform(size=rows) < chance, rng.uniform(25, 40, rows), rng.uniform(2, 23, rows)).round(2)
    frame = pl.DataFrame(
        {
            "parcel": [f"p{number:06d}" for number in range(rows)],
            "minutes": minutes,
            "depot": depot,
            "service": service,
            "weight": weight,
            "insured": [(True, False, None)[number] for number in rng.integers(0, 3, rows)],
            "hours": hours,
        }
    ).with_columns(sent_at=begin + pl.duration(minutes=pl.col("minutes")))
    frame.select("parcel", "sent_at", "depot", "service", "weight", pl.col("insured").cast(pl.Boolean)).write_parquet(
        folder / "orders.parquet"
    )
    told = frame.filter(pl.Series(rng.uniform(size=rows) > 0.03))
    told.select(
        "parcel", "sent_at", "hours", delivered_at=pl.col("sent_at") + pl.duration(seconds=pl.col("hours") * 3600)
    ).write_parquet(folder / "deliveries.parquet")
    hourly = pl.DataFrame({"n": range(days * 24)}).with_columns(hour=begin + pl.duration(hours=pl.col("n")))
    hourly.join(pl.DataFrame({"depot": ["ams", "rtm", "utr"]}), how="cross").select(
        "depot", "hour", rain=(pl.col("n") % 7).cast(pl.Float64)
    ).write_parquet(folder / "weather.parquet")
    pl.DataFrame({"depot": ["ams", "rtm", "utr"], "staff": [12, 7, 5]}).write_parquet(folder / "depots.parquet")
    return folder


def _git(folder: Path, *command: str) -> None:
    subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True)
