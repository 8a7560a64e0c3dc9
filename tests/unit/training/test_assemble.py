"""A training set holds what was known when each was asked, accounts for every request, and knows nothing of later."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from lockgate.features.series import Told
from lockgate.kernel.canonical import canonical, digest_of, sha256
from lockgate.kernel.errors import Invalid
from lockgate.records.features import TrainingSet
from lockgate.records.source import SourceSpec
from lockgate.sources.read import read_function
from lockgate.training import assemble
from lockgate.training.assemble import OUTCOME, Rows
from tests.making.online import by_depot
from tests.making.projects import START, blueprint, bound, history
from tests.making.readers import known
from tests.unit.training.making import MINUTES, Made, make

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FINAL = blueprint().outcome.final_after
HISTORY = history(orders=200)
MOMENT = pl.Datetime("us", "UTC")


def with_frame(rows: Rows, name: str, frame: pl.DataFrame) -> dict[str, Any]:
    return {**rows, name: (rows[name][0], known(rows[name][0], frame))}


def accounted(record: TrainingSet) -> int:
    return record.train_rows + record.test_rows + sum(record.left_out.values())


def assert_same(one: Made, other: Made) -> None:
    assert canonical(one.record) == canonical(other.record)
    assert_frame_equal(one.train, other.train)
    assert_frame_equal(one.test, other.test)


@settings(max_examples=15)
@given(seed=st.integers(0, 1000), test=st.integers(1, 6), as_of=st.floats(10, 15), every=st.integers(2, 9))
def test_every_request_is_learnt_from_or_tested_on_or_left_out_for_a_reason(
    seed: int, test: int, as_of: float, every: int
) -> None:
    rows = cut(history(orders=150, seed=seed), START + as_of * DAY)
    told = rows["arrivals"][1]
    gone = told.filter(pl.int_range(pl.len()) % every != 0)
    with TemporaryDirectory() as folder:
        made = make(with_frame(rows, "arrivals", gone), Path(folder), test=test * DAY)

    assert accounted(made.record) == rows["orders"][1].height
    assert min(made.record.left_out.values()) >= 0
    assert (made.train.height, made.test.height) == (made.record.train_rows, made.record.test_rows)
    keys = made.train["order_id"].to_list() + made.test["order_id"].to_list()
    assert len(set(keys)) == len(keys)


def test_each_reason_counts_what_it_says(tmp_path: Path) -> None:
    record = make(HISTORY, tmp_path).record
    orders, arrivals = HISTORY["orders"][1], HISTORY["arrivals"][1]
    known_until = max(*arrivals["arrived"].to_list(), START + 14 * DAY - HOUR / 2)
    end = known_until - FINAL
    told = set(arrivals["order_id"])
    young = [row for row in orders.iter_rows(named=True) if row["asked"] > end]
    old = [row for row in orders.iter_rows(named=True) if row["asked"] <= end]
    answered = [row["asked"] for row in old if row["order_id"] in told]

    assert record.known_until == known_until
    assert record.test_from == end - 3 * DAY
    assert record.left_out == {
        "outcome not final yet": len(young),
        "never got an outcome": len(old) - len(answered),
        "not final when the test begins": sum(end - 3 * DAY - FINAL < asked < end - 3 * DAY for asked in answered),
    }
    assert min(record.left_out.values()) > 0
    assert record.train_rows == sum(asked <= end - 3 * DAY - FINAL for asked in answered)
    assert record.test_rows == sum(asked >= end - 3 * DAY for asked in answered)


def test_the_test_comes_after_and_a_gap_as_long_as_an_outcome_takes_lies_between(tmp_path: Path) -> None:
    made = make(HISTORY, tmp_path)

    assert made.train["asked"].max() <= made.record.test_from - FINAL  # type: ignore[operator]
    assert made.test["asked"].min() >= made.record.test_from  # type: ignore[operator]
    assert made.test["asked"].max() <= made.record.known_until - FINAL  # type: ignore[operator]
    assert (made.record.first_asked, made.record.last_asked) == (made.train["asked"].min(), made.test["asked"].max())
    assert made.train["asked"].is_sorted()
    assert made.test["asked"].is_sorted()


def few(*asked: timedelta, final: datetime) -> dict[str, Any]:
    """Give a history of requests asked so long before the end of a test of three days, all of them answered."""
    begin = final - FINAL - 3 * DAY
    moments = [begin + one for one in asked]
    orders = HISTORY["orders"][1].head(len(asked)).with_columns(pl.Series("asked", moments, dtype=MOMENT))
    arrivals = pl.DataFrame(
        {"order_id": orders["order_id"], "asked": moments, "minutes": [20.0] * len(asked), "arrived": moments},
        schema_overrides={"asked": MOMENT, "arrived": MOMENT},
    )
    traffic = HISTORY["traffic"][1].head(1).with_columns(hour=pl.lit(final - timedelta(minutes=30)).cast(MOMENT))
    rows = with_frame(with_frame(HISTORY, "orders", orders), "arrivals", arrivals)
    return with_frame(rows, "traffic", traffic)


TICK = timedelta(microseconds=1)
EDGES: dict[str, tuple[timedelta, str]] = {
    "final at the moment that the test begins": (-FINAL, "train"),
    "final a tick after the test begins": (-FINAL + TICK, "not final when the test begins"),
    "asked a tick before the test": (-TICK, "not final when the test begins"),
    "asked as the test begins": (timedelta(0), "test"),
    "final at the last moment that is known": (3 * DAY, "test"),
    "final a tick after that": (3 * DAY + TICK, "outcome not final yet"),
}


@pytest.mark.parametrize("what", EDGES)
def test_edges_belong_to_one_side(what: str, tmp_path: Path) -> None:
    asked, where = EDGES[what]
    # One request to learn from, one to be tested on, and the one in question.
    rows = few(-10 * DAY, DAY, asked, final=START + 12 * DAY)
    record = make(rows, tmp_path).record
    found = {"train": record.train_rows - 1, "test": record.test_rows - 1, **record.left_out}

    assert record.test_from == START + 12 * DAY - FINAL - 3 * DAY
    assert found.pop(where) == 1
    assert set(found.values()) == {0}


def cut(rows: Rows, as_of: datetime) -> dict[str, Any]:
    """Read every source as it was known by then."""
    return {name: (spec, known_by(spec, frame, as_of)) for name, (spec, frame) in rows.items()}


def known_by(spec: SourceSpec, frame: pl.DataFrame, as_of: datetime) -> pl.DataFrame:
    return pl.concat(read_function(spec, lambda: frame, as_of).batches)


LATER = st.lists(
    st.tuples(st.integers(0, 20 * 24), st.integers(1, 10**10), st.integers(0, 199)), min_size=1, max_size=6
)


@settings(max_examples=20)
@given(as_of=st.floats(9, 13), orders=LATER, arrivals=LATER, traffic=LATER, first=st.booleans())
def test_what_became_known_later_changes_nothing(
    as_of: float,
    orders: list[tuple[int, int, int]],
    arrivals: list[tuple[int, int, int]],
    traffic: list[tuple[int, int, int]],
    first: bool,
) -> None:
    moment = START + as_of * DAY
    known = cut(HISTORY, moment)
    later: dict[str, list[dict[str, Any]]] = {
        # An order is known as it is asked; an arrival may be told of any order, however old; traffic after 30 minutes.
        "orders": [{"order_id": f"x{n}", "asked": moment + timedelta(microseconds=us)} for _, us, n in orders],
        "arrivals": [
            {
                "order_id": f"o{n:05}",
                "asked": START + hour * HOUR,
                "minutes": 999.0,
                "arrived": moment + timedelta(microseconds=us),
            }
            for hour, us, n in arrivals
        ],
        "traffic": [
            {
                "depot": ("east", "north", "west")[n % 3],
                "hour": moment - timedelta(minutes=30) + timedelta(microseconds=us),
                "jams": 999,
                "mood": "later",
            }
            for _, us, n in traffic
        ],
    }
    grown: Rows = {
        name: (spec, with_rows(frame, later[name], first=first) if name in later else frame)
        for name, (spec, frame) in HISTORY.items()
    }
    with TemporaryDirectory() as folder:
        before, after = make(known, Path(folder) / "a"), make(cut(grown, moment), Path(folder) / "b")

    assert_same(before, after)
    assert before.record.known_until <= moment
    assert "later" not in after.record.vocabulary["traffic_mood"]


def with_rows(frame: pl.DataFrame, rows: list[dict[str, Any]], *, first: bool) -> pl.DataFrame:
    more = pl.DataFrame(rows, schema={name: frame.schema[name] for name in rows[0]}).select(
        pl.col(name) if name in rows[0] else pl.lit(None).cast(kind).alias(name) for name, kind in frame.schema.items()
    )
    return pl.concat([more, frame] if first else [frame, more])


@settings(max_examples=20)
@given(
    at=st.floats(1, 13), values=st.lists(st.tuples(st.integers(0, 10**11), st.integers(0, 1)), min_size=1, max_size=8)
)
def test_a_row_sees_nothing_that_was_told_after_it_was_asked(at: float, values: list[tuple[int, int]]) -> None:
    """Without any cut: rows of the past, told late, are not seen by requests that were asked before."""
    spec, frame = HISTORY["traffic"]
    moment = START + at * DAY
    told = spec.available_delay or timedelta(0)
    late: list[dict[str, Any]] = [
        {
            "depot": ("east", "north")[depot],
            "hour": moment - told + timedelta(microseconds=1 + micros),
            "jams": 999,
            "mood": "wild",
        }
        for micros, depot in values
    ]
    late = [row for row in late if row["hour"] < START + 13.9 * DAY]  # so that what is known does not last longer
    with TemporaryDirectory() as folder:
        before = make(HISTORY, Path(folder) / "a")
        changed = with_rows(frame, late, first=False) if late else frame
        after = make(with_frame(HISTORY, "traffic", changed), Path(folder) / "b")

    for one, other in ((before.train, after.train), (before.test, after.test)):
        asked_before = pl.col("asked") <= moment
        assert_frame_equal(one.filter(asked_before), other.filter(asked_before))


def test_every_looked_up_value_is_the_one_that_an_online_store_would_have_given(tmp_path: Path) -> None:
    made = make(HISTORY, tmp_path)
    spec, frame = HISTORY["traffic"]
    (lookup,) = [one for one in bound().lookups if one.source == "traffic"]
    reading = by_depot(lookup, spec, [told_row(row) for row in frame.iter_rows(named=True)])
    rows = list(pl.concat([made.train, made.test]).iter_rows(named=True))
    known = reading.resolve([(row["depot"],) for row in rows], [micros(row["asked"]) for row in rows])
    assert [row["traffic.jams"] for row in rows] == [one[0].values[0] for one in known]
    seen = sum(one[0].event_time is not None for one in known)

    assert lookup.stale_after == 3 * HOUR
    assert 0 < seen < made.record.train_rows + made.record.test_rows


def told_row(row: dict[str, Any]) -> Told:
    values = {"jams": row["jams"], "mood": row["mood"]}
    return Told("traffic", row["depot"], micros(row["hour"]), micros(row["hour"] + HOUR / 2), values)


def micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def test_an_outcome_that_was_told_after_the_test_began_is_not_learnt_from(tmp_path: Path) -> None:
    spec, frame = HISTORY["arrivals"]
    late = pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.col("asked") + 4 * DAY).otherwise("arrived")
    rows = cut(with_frame(HISTORY, spec.name, frame.with_columns(arrived=late)), START + 14 * DAY)
    made = make(rows, tmp_path)

    learnt = made.train.join(rows["arrivals"][1].select("order_id", "arrived"), on="order_id")
    assert learnt.height == made.record.train_rows > 0
    assert learnt["arrived"].max() <= made.record.test_from  # type: ignore[operator]


def test_outcomes_are_what_the_declared_function_says(tmp_path: Path) -> None:
    took = dict(HISTORY["arrivals"][1].select("order_id", "minutes").iter_rows())
    late, minutes = make(HISTORY, tmp_path / "a"), make(HISTORY, tmp_path / "b", outcome=MINUTES)

    assert dict(late.train.select("order_id", OUTCOME).iter_rows()) == {
        key: float(took[key] > 30) for key in late.train["order_id"]
    }
    assert dict(minutes.test.select("order_id", OUTCOME).iter_rows()) == {
        key: took[key] for key in minutes.test["order_id"]
    }
    assert late.train.schema[OUTCOME] == pl.Float64


def test_an_outcome_that_is_null_is_none(tmp_path: Path) -> None:
    spec, frame = HISTORY["arrivals"]
    nulls = frame.with_columns(minutes=pl.when(pl.col("minutes") > 60).then(None).otherwise("minutes"))
    whole, made = make(HISTORY, tmp_path / "a"), make({**HISTORY, "arrivals": (spec, nulls)}, tmp_path / "b")

    assert made.record.left_out["never got an outcome"] > whole.record.left_out["never got an outcome"]
    assert accounted(made.record) == accounted(whole.record) == 200


def test_an_outcome_that_is_no_number_is_none(tmp_path: Path) -> None:
    spec, frame = HISTORY["arrivals"]
    holes = frame.with_columns(minutes=pl.when(pl.col("minutes") > 60).then(math.nan).otherwise("minutes"))
    made = make({**HISTORY, "arrivals": (spec, holes)}, tmp_path, outcome=MINUTES)

    assert made.train[OUTCOME].is_finite().all()
    assert made.test[OUTCOME].is_finite().all()


def test_of_two_outcomes_of_a_request_the_last_counts_and_the_request_once(tmp_path: Path) -> None:
    spec, frame = HISTORY["arrivals"]
    twice = pl.concat([frame.with_columns(minutes=pl.lit(0.0)), frame])

    assert_same(make(HISTORY, tmp_path / "a"), make({**HISTORY, "arrivals": (spec, twice)}, tmp_path / "b"))


def test_a_request_that_is_there_twice_is_counted_twice_and_not_four_times(tmp_path: Path) -> None:
    _, frame = HISTORY["orders"]
    twice = pl.concat([frame, frame])

    assert accounted(make(with_frame(HISTORY, "orders", twice), tmp_path).record) == 400


def test_the_vocabulary_is_that_of_the_rows_to_learn_from(tmp_path: Path) -> None:
    _, frame = HISTORY["orders"]
    end = make(HISTORY, tmp_path / "a").record.test_from
    new = frame.with_columns(depot=pl.when(pl.col("asked") >= end).then(pl.lit("new")).otherwise("depot"))
    made = make(with_frame(HISTORY, "orders", new), tmp_path / "b")

    assert made.record.vocabulary == {"depot": ("east", "north", "west"), "traffic_mood": ("calm", "wild")}
    assert set(made.test["depot"]) == {"new"}
    assert made.test["@depot"].is_nan().all()
    assert set(made.train["@depot"]) == {0.0, 1.0, 2.0}


def test_a_record_says_what_it_was_made_of(tmp_path: Path) -> None:
    seen: list[float] = []
    made = make(HISTORY, tmp_path, progress=seen.append)
    (train,), (test,) = made.record.train_files, made.record.test_files

    assert made.record.features == digest_of(bound())
    assert made.record.outcome == digest_of(blueprint().outcome)
    assert made.record.snapshots == {name: sha256(name.encode()) for name in HISTORY}
    assert (train.digest, train.bytes) == digested(tmp_path / "train.parquet")
    assert (test.digest, test.bytes) == digested(tmp_path / "test.parquet")
    assert (train.rows, test.rows) == (made.train.height, made.test.height)
    assert seen[0] == 0
    assert_same(made, make(HISTORY, tmp_path / "again"))


def digested(path: Path) -> tuple[str, int]:
    data = path.read_bytes()
    return sha256(data), len(data)


TOO_LITTLE: dict[str, tuple[timedelta, Rows, str]] = {
    "a test as long as the history": (300 * DAY, HISTORY, "nothing to learn from"),
    "a test as short as a moment": (TICK, HISTORY, "nothing to be tested on"),
    "nothing at all": (3 * DAY, {name: (spec, frame.clear()) for name, (spec, frame) in HISTORY.items()}, "Nothing is"),
    "tables only": (
        3 * DAY,
        {name: (spec, frame if name == "vans" else frame.clear()) for name, (spec, frame) in HISTORY.items()},
        "Nothing is known",
    ),
}


@pytest.mark.parametrize("what", TOO_LITTLE)
def test_too_little_is_refused_in_words(what: str, tmp_path: Path) -> None:
    test, rows, words = TOO_LITTLE[what]

    with pytest.raises(Invalid, match=words):
        make(rows, tmp_path, test=test)
    assert list(tmp_path.iterdir()) == []


NO_ROWS: dict[str, Rows] = {
    "no requests": with_frame(HISTORY, "orders", HISTORY["orders"][1].clear()),
    "no outcomes": with_frame(HISTORY, "arrivals", HISTORY["arrivals"][1].clear()),
    "outcomes of other requests": with_frame(
        HISTORY, "arrivals", HISTORY["arrivals"][1].with_columns(order_id=pl.lit("other"))
    ),
}


@pytest.mark.parametrize("what", NO_ROWS)
def test_no_rows_are_refused_in_words(what: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="nothing to learn from"):
        make(NO_ROWS[what], tmp_path)


def test_an_error_in_the_outcome_that_is_no_fault_of_a_value_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late(_: float) -> bool:
        raise MemoryError

    monkeypatch.setattr(assemble, "open_closed", lambda *_: late)

    with pytest.raises(MemoryError):
        make(HISTORY, tmp_path)
