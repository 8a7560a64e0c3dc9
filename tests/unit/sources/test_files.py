"""Files are read here and in an object store alike: in order, in batches, and only those that are new."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from obstore.store import S3Store

from lockgate.kernel.errors import Failed, Invalid, LockgateError, NotFound, Unavailable
from lockgate.records.source import Reader, ReaderKind, SourceSpec
from lockgate.sources.read import RowsRead, read
from tests.making import servers

START = datetime(2024, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
LATER = START + 1000 * HOUR


def spec(where: str, kind: str = "parquet", *, clocked: bool = True, **options: object) -> SourceSpec:
    clock: dict[str, Any] = {"event_time": "t", "available_delay": HOUR} if clocked else {}
    reader = Reader(kind=ReaderKind(kind), where=where, options=options)
    return SourceSpec(name="s", reader=reader, key="k", **clock)


def rows(*keys: int) -> pl.DataFrame:
    return pl.DataFrame({"k": keys, "t": [START + key * HOUR for key in keys]}, schema_overrides={"k": pl.Int64})


class Place:
    """A folder, or a prefix of a bucket."""

    def __init__(self, folder: Path, url: str = "") -> None:
        self.folder, self.url = folder, url

    def write(self, name: str, frame: pl.DataFrame) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_csv(path) if name.endswith(".csv") else frame.write_parquet(path)
        if self.url:
            obstore.put(self._store(), f"{self._prefix()}/{name}", path)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()
        if self.url:
            obstore.delete(self._store(), f"{self._prefix()}/{name}")

    def where(self, pattern: str) -> str:
        return f"{self.url}/{pattern}".rstrip("/") if self.url else pattern

    def _store(self) -> S3Store:
        return S3Store(servers.BUCKET)

    def _prefix(self) -> str:
        return self.url.removeprefix(f"s3://{servers.BUCKET}/")


@pytest.fixture(params=["here", "in a store"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "here":
        return Place(tmp_path)
    return Place(tmp_path, request.getfixturevalue("s3").url)


def read_all(found: RowsRead) -> pl.DataFrame:
    return pl.concat(list(found.batches))


def keys(place: Place, pattern: str, kind: str = "parquet") -> list[int]:
    told: list[int] = read_all(read(spec(place.where(pattern), kind), place.folder, LATER))["k"].to_list()
    return told


def write_some(place: Place) -> None:
    for number, name in enumerate(("a/2.parquet", "a/1.parquet", "a/b/3.pq", "a/.4.parquet", "a/_tmp/5.parquet")):
        place.write(name, rows(number))
    place.write("a/note.csv", rows(9))
    place.write("ab/6.parquet", rows(6))
    place.write("a [x] ü.parquet", rows(7))


MEANT = {
    "one file": ("a/2.parquet", [0]),
    "a folder": ("a", [1, 0, 2]),
    "a folder with a slash": ("a/", [1, 0, 2]),
    "a glob": ("a/*.parquet", [3, 1, 0]),
    "a glob of any depth": ("**/[0-9].p*q*", [1, 0, 4, 2, 6]),
    "a glob of folders": ("a*/[26].parquet", [0, 6]),
    "a name that looks like a glob": ("a [x] ü.parquet", [7]),
}


@pytest.mark.parametrize("what", MEANT)
def test_files_are_found_and_read_in_the_order_of_their_names(place: Place, what: str) -> None:
    pattern, expected = MEANT[what]
    write_some(place)

    assert keys(place, pattern) == expected


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_later_reading_reads_only_what_is_new(place: Place, kind: str) -> None:
    source = spec(place.where(""), kind)
    place.write(f"1.{kind}", rows(1, 2))
    place.write(f"2.{kind}", rows(3))
    first = read(source, place.folder, LATER)
    assert (read_all(first)["k"].to_list(), first.whole) == ([1, 2, 3], True)

    same = read(source, place.folder, LATER, before=first.state)
    nothing = read_all(same)
    assert (nothing.height, nothing.schema, same.whole) == (0, rows(1).schema, False)

    place.write(f"0.{kind}", rows(4))
    later = read(source, place.folder, LATER, before=same.state)
    assert (read_all(later)["k"].to_list(), later.whole, later.corrects) == ([4], False, False)
    assert later.state == read_state(source, place)


def read_state(source: SourceSpec, place: Place) -> dict[str, Any]:
    found = read(source, place.folder, LATER)
    read_all(found)
    return found.state


CHANGES: dict[str, Callable[[Place], None]] = {
    "a file is gone": lambda place: place.remove("1.parquet"),
    "a file is another": lambda place: place.write("1.parquet", rows(1, 5, 6)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_everything_is_read_where_what_was_read_is_not_as_it_was(place: Place, what: str) -> None:
    source = spec(place.where("*.parquet"))
    place.write("1.parquet", rows(1, 2))
    place.write("2.parquet", rows(3))
    before = read_state(source, place)
    CHANGES[what](place)
    found = read(source, place.folder, LATER, before=before)

    assert found.whole
    assert read_all(found).equals(read_all(read(source, place.folder, LATER)))


def test_a_file_with_rows_that_were_not_known_yet_is_read_again(place: Place) -> None:
    source = spec(place.where(""))
    place.write("1.parquet", rows(1))
    place.write("2.parquet", rows(2, 20))
    first = read(source, place.folder, START + 10 * HOUR)
    assert (read_all(first)["k"].to_list(), first.held_back) == ([1, 2], 1)

    later = read(source, place.folder, START + 30 * HOUR, before=first.state)
    assert (read_all(later)["k"].to_list(), later.whole, later.held_back) == ([2, 20], False, 0)
    assert later.state == read_state(source, place)


def test_what_has_no_clock_is_always_read_whole(tmp_path: Path) -> None:
    place, source = Place(tmp_path), spec("*.parquet", clocked=False)
    place.write("1.parquet", rows(1))
    before = read_state(source, place)
    place.write("2.parquet", rows(2))
    found = read(source, tmp_path, LATER, before=before)

    assert (read_all(found)["k"].to_list(), found.whole) == ([1, 2], True)


def test_a_reader_that_is_told_otherwise_reads_everything(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("k;t\n1;2024-03-01 12:00\n")
    before = read_state(spec("1.csv", "csv", separator=";", timezone="Asia/Tokyo"), Place(tmp_path))
    found = read(spec("1.csv", "csv", separator=";", timezone="America/New_York"), tmp_path, LATER, before=before)

    assert found.whole
    assert read_all(found)["t"].to_list() == [datetime(2024, 3, 1, 17, tzinfo=UTC)]


TIMES = {
    "UTC": "2024-03-01T05:30:00Z",
    "an offset": "2024-03-01 06:30:00+01:00",
    "a short offset": "2024-03-01 00:30:00.000-05",
    "fractions": "2024-03-01T05:30:00.000000+0000",
    "no zone": "2024-03-01 00:30:00",
    "no zone and no seconds": "2024-03-01T00:30",
}


@pytest.mark.parametrize("what", TIMES)
def test_times_of_a_csv_file_come_in_utc(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.csv").write_text(f"k,t\n1,{TIMES[what]}\n")
    found = read_all(read(spec("a.csv", "csv", timezone="America/New_York"), tmp_path, LATER))

    assert found["t"].to_list() == [datetime(2024, 3, 1, 5, 30, tzinfo=UTC)]
    assert found.schema["t"] == pl.Datetime("us", "UTC")


def test_an_hour_that_clocks_show_twice_is_the_later_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("k,t\n1,2023-11-05 01:30:00\n")
    found = read_all(read(spec("a.csv", "csv", timezone="America/New_York"), tmp_path, LATER))

    assert found["t"].to_list() == [datetime(2023, 11, 5, 6, 30, tzinfo=UTC)]


def test_options_of_csv(tmp_path: Path) -> None:
    text = "k|t|w|seen|note\n01|2024-03-01T00:00:00Z|NA|2024-03-01T00:00:00Z|-\n02|2024-03-01T00:00:00Z|3|NA|x\n"
    (tmp_path / "a.csv").write_text(text)
    types = {"k": "text", "w": "float", "seen": "time"}
    found = read_all(read(spec("a.csv", "csv", separator="|", null=["NA", "-"], types=types), tmp_path, LATER))

    assert found.drop("t").to_dict(as_series=False) == {
        "k": ["01", "02"],
        "w": [None, 3.0],
        "seen": [START, None],
        "note": [None, "x"],
    }


def test_parquet_brings_decimals_as_floats_and_any_kind_of_time_in_utc(tmp_path: Path) -> None:
    frame = rows(1).with_columns(
        pl.col("t").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns"),
        amount=pl.lit("1.25").cast(pl.Decimal(10, 2)),
        naive=pl.lit(START.replace(tzinfo=None)),
    )
    frame.write_parquet(tmp_path / "a.parquet")
    found = read_all(read(spec("a.parquet", timezone="Asia/Tokyo"), tmp_path, LATER))

    assert found.to_dicts() == [{"k": 1, "t": START + HOUR, "amount": 1.25, "naive": START - 9 * HOUR}]


def test_files_may_have_their_columns_in_another_order(tmp_path: Path) -> None:
    for name, frame in (("1", rows(1)), ("2", rows(2).select("t", "k"))):
        frame.write_csv(tmp_path / f"{name}.csv")
        frame.write_parquet(tmp_path / f"{name}.parquet")

    assert keys(Place(tmp_path), "", kind="csv") == keys(Place(tmp_path), "") == [1, 2]


def parquet(folder: Path, **files: pl.DataFrame) -> None:
    for name, frame in files.items():
        frame.write_parquet(folder / f"{name}.parquet")


def naive(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("t").dt.replace_time_zone(None))


REFUSED: dict[str, tuple[Callable[[Path], Any], SourceSpec, type[LockgateError], str]] = {
    "no such file": (lambda _: None, spec("a.parquet"), NotFound, "expected files .* at a.parquet, found none"),
    "an empty folder": (lambda at: (at / "a").mkdir(), spec("a", "csv"), NotFound, "relative to the project folder"),
    "a column that vanished": (
        lambda at: parquet(at, a=rows(1).with_columns(v=1), b=rows(2)),
        spec("*.parquet"),
        Invalid,
        "b.parquet: v is missing",
    ),
    "a column that is new": (
        lambda at: parquet(at, a=rows(1), b=rows(2).with_columns(v=1)),
        spec("*.parquet"),
        Invalid,
        "b.parquet: v is there as well",
    ),
    "a column of another type": (
        lambda at: parquet(at, a=rows(1), b=rows(2).cast({"k": pl.String})),
        spec("*.parquet"),
        Invalid,
        "b.parquet: k is String",
    ),
    "a column of another type in CSV": (
        lambda at: ((at / "a.csv").write_text("k,t\n1,2024-03-01T00:00Z\n"), (at / "b.csv").write_text("k,t\nx,\n")),
        spec("*.csv", "csv"),
        Failed,
        "could not parse `x` as dtype `i64` at column 'k'.* types=",
    ),
    "no Parquet": (lambda at: (at / "a.parquet").write_text("?"), spec("a.parquet"), Failed, "appear in one move"),
    "nothing in a CSV file": (lambda at: (at / "a.csv").write_text(""), spec("a.csv", "csv"), Failed, "empty CSV"),
    "no UTF-8": (
        lambda at: (at / "a.csv").write_bytes(b"k,t\n\xe9,2024-03-01T00:00Z\n"),
        spec("a.csv", "csv", types={"k": "text"}),
        Failed,
        "Is it UTF-8",
    ),
    "a type for no column": (
        lambda at: rows(1).write_csv(at / "a.csv"),
        spec("a.csv", "csv", types={"kk": "int"}),
        Invalid,
        r"no column kk .*Did you mean 'k'\?",
    ),
    "no clock": (
        lambda at: parquet(at, a=rows(1).rename({"t": "tt"})),
        spec("a.parquet"),
        Invalid,
        r"has no column t .*found Did you mean 'tt'\?",
    ),
    "a clock without a zone": (lambda at: parquet(at, a=naive(rows(1))), spec("a.parquet"), Invalid, "timezone="),
    "a clock without a zone in CSV": (
        lambda at: naive(rows(1)).write_csv(at / "a.csv"),
        spec("a.csv", "csv"),
        Invalid,
        "s.t is no time with a zone .* timezone=",
    ),
    "dates as a clock": (
        lambda at: parquet(at, a=rows(1).with_columns(pl.col("t").dt.date())),
        spec("a.parquet", timezone="UTC"),
        Invalid,
        "at what time of the day",
    ),
    "dates as a clock in CSV": (
        lambda at: (at / "a.csv").write_text("k,t\n1,2024-03-01\n"),
        spec("a.csv", "csv", timezone="UTC"),
        Invalid,
        "can't be read as times .* found '2024-03-01'",
    ),
    "times of two forms": (
        lambda at: (at / "a.csv").write_text("k,t\n1,2024-03-01T00:00:00Z\n2,2024-03-01T00:00:00\n"),
        spec("a.csv", "csv", timezone="UTC"),
        Invalid,
        "found '2024-03-01T00:00:00'",
    ),
    "an hour that clocks skip": (
        lambda at: (at / "a.csv").write_text("k,t\n1,2024-03-10 02:30:00\n"),
        spec("a.csv", "csv", timezone="America/New_York"),
        Invalid,
        "a time that there never was .* found datetime '2024-03-10 02:30:00' is non-existent",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_read_says_so_and_what_to_do(tmp_path: Path, what: str) -> None:
    make, source, error, said = REFUSED[what]
    make(tmp_path)

    with pytest.raises(error) as refused:
        read_all(read(source, tmp_path, LATER))

    assert type(refused.value) is error
    refused.match(f"(?s){said}")


def test_a_bucket_that_is_not_there_is_told(s3: servers.S3, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="the bucket nowhere"):
        read(spec("s3://nowhere/*.parquet"), tmp_path, LATER)
    with pytest.raises(NotFound, match="finds no file"):
        read(spec(f"{s3.url}/a.parquet"), tmp_path, LATER)


_MEASURED = """
import sys
from pathlib import Path
from tests.unit.sources.test_files import LATER, read, spec

def most_memory():  # unlike ru_maxrss, without that of the process which started this one
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

before = most_memory()
heights = [batch.height for batch in read(spec(sys.argv[1]), Path("/"), None).batches]
print(sum(heights), max(heights), most_memory() - before)
"""


def test_five_million_rows_are_read_in_batches_and_little_memory(tmp_path: Path) -> None:
    count = 5_000_000
    pl.select(
        k=pl.int_range(count),
        t=pl.lit(START) + pl.duration(seconds=pl.int_range(count)),
    ).with_columns((pl.col("k") + n).hash().cast(pl.Float64).alias(f"v{n}") for n in range(6)).write_parquet(
        tmp_path / "a.parquet"
    )
    done = subprocess.run(
        [sys.executable, "-c", _MEASURED, str(tmp_path / "a.parquet")], capture_output=True, text=True, check=True
    )
    total, highest, grown = map(int, done.stdout.split())

    assert total == count
    assert highest <= 500_000
    assert grown < 250_000  # KiB; the rows are 320 MB
