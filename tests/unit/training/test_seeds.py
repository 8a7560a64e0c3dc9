"""What travels with a package is what an endpoint needs to answer from its first moment."""

from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lockgate.features.offline import as_served
from lockgate.features.series import Told
from lockgate.records.features import Aggregate, FeatureSet, FieldKind, Window, WindowColumn
from lockgate.records.source import SourceSpec
from lockgate.training.seeds import seed_rows, table_rows
from tests.making.online import by_depot
from tests.making.projects import START, blueprint, bound, history
from tests.making.readers import known

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HISTORY = history(orders=200)
END = START + 14 * DAY


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_the_rows_of_a_table_travel_once_for_each_key() -> None:
    spec, frame = HISTORY["vans"]
    (lookup,) = [one for one in bound().lookups if one.source == "vans"]
    more = pl.concat([frame, pl.DataFrame({"van": ["van-0", None], "built": [1900, 1900]})])

    assert table_rows(lookup, spec, more) == [
        ("van-0", (2010,)),
        ("van-1", (2015,)),
        ("van-2", (None,)),
        ("van-3", (2020,)),
    ]


def test_the_last_rows_of_each_key_travel_with_their_clocks() -> None:
    spec, frame = HISTORY["traffic"]
    found = seed_rows(
        blueprint().request, bound(), spec, frame.sample(fraction=1, shuffle=True, seed=1), START + 14 * DAY
    )
    (lookup,) = [one for one in bound().lookups if one.source == "traffic"]
    seeds = [Told("traffic", row.key, row.event_time, row.available_time, row.values) for row in found]
    every = [
        Told("traffic", row["depot"], micros(row["hour"]), micros(row["hour"] + HOUR / 2), row)
        for row in frame.iter_rows(named=True)
    ]
    seeded, whole = by_depot(lookup, spec, seeds), by_depot(lookup, spec, every)

    hours = int(blueprint().request.lateness / HOUR)
    asked = [micros(END - number * HOUR) for number in range(hours + 1)]
    for key in ("east", "north"):
        assert seeded.resolve([(key,)] * len(asked), asked) == whole.resolve([(key,)] * len(asked), asked)
    assert 2 * hours <= len(found) < len(every)


def windowed(*, identified: bool) -> tuple[FeatureSet, SourceSpec]:
    window = Window(
        name="load",
        source="orders",
        by="depot",
        value="parcels",
        value_type=FieldKind.INT,
        columns=tuple(
            WindowColumn(name=f"load_{one.value}", aggregate=one, span=6 * HOUR, type=FieldKind.INT)
            for one in (Aggregate.COUNT, Aggregate.SUM, Aggregate.LAST)
        ),
    )
    spec = msgspec.structs.replace(blueprint().source("orders"), event_id="van" if identified else None)
    return msgspec.structs.replace(bound(), lookups=(), windows=(window,)), spec


@pytest.mark.parametrize("identified", [False, True])
def test_the_rows_that_travel_say_of_every_window_what_all_rows_say(*, identified: bool) -> None:
    features, spec = windowed(identified=identified)
    request = msgspec.structs.replace(blueprint().request, lateness=DAY)
    frame = HISTORY["orders"][1]
    seeds = seed_rows(request, features, spec, frame, END)
    travelled = pl.DataFrame(
        [
            (row.key, START + timedelta(microseconds=row.event_time - micros(START)), *row.values.values())
            for row in seeds
        ],
        schema=["order_id", "asked", *seeds[0].values],
        orient="row",
    )
    rows = known(spec, travelled.with_columns(pl.col("asked").dt.cast_time_unit("us").dt.replace_time_zone("UTC")))
    # Questions about every depot, from as late as may be to two hours after the end.
    asked = frame.head(26 * 6).with_columns(
        asked=pl.lit(END - DAY) + pl.duration(minutes=10) * pl.int_range(pl.len()),
        depot=pl.Series([("east", "north", "west")[number % 3] for number in range(26 * 6)]),
    )

    assert_frame_equal(
        as_served(asked, request, features, {"orders": (spec, rows)}),
        as_served(asked, request, features, {"orders": (spec, frame)}),
    )
    assert 0 < len(seeds) < len(frame)


def test_rows_travel_in_the_order_in_which_they_were_told() -> None:
    features, spec = windowed(identified=False)
    shuffled = HISTORY["orders"][1].sample(fraction=1, shuffle=True, seed=3)
    found = seed_rows(blueprint().request, features, spec, pl.concat([shuffled, shuffled.head(1)]), END)
    told = [row.key for row in found]

    assert told == [key for key in [*shuffled["order_id"], shuffled["order_id"][0]] if key in told]
