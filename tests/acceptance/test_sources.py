"""A project whose rows come from a bucket, a database, a lakehouse and a file, shipped twice; as the page shows it."""

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from sqlalchemy import create_engine, text

from tests.making.parcels import commit
from tests.making.servers import S3
from tests.making.workshop import Workshop

PAGE = (Path(__file__).parents[2] / "docs/how-to/bring-your-data.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"<!-- part: (\w+) -->\n\n```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


TABLE = """
CREATE TABLE IF NOT EXISTS deliveries (
    number serial PRIMARY KEY, parcel text, sent_at timestamptz, delivered_at timestamptz, hours double precision
)
"""


INSERT = """
INSERT INTO deliveries (parcel, sent_at, delivered_at, hours) VALUES (:parcel, :sent_at, :delivered_at, :hours)
"""


class Elsewhere:
    """The rows of the parcels project, in the places of the page."""

    def __init__(self, workshop: Workshop, s3: S3, database: str) -> None:
        self._workshop, self._s3, self._database = workshop, s3, database
        self._rows = {
            name: pl.read_parquet(workshop.data / f"{name}.parquet") for name in ("orders", "deliveries", "weather")
        }
        asked = self._rows["orders"]["sent_at"].sort()
        self.cut = asked[len(asked) * 3 // 4]

    def put(self, name: str, *, early: bool) -> None:
        """Put rows there, those known before the cut or the others."""
        known = [("orders", "sent_at"), ("deliveries", "delivered_at"), ("weather", "hour")]
        orders, deliveries, weather = (
            self._rows[source].filter((pl.col(column) < self.cut) == early) for source, column in known
        )
        storage = {key.lower(): value for key, value in self._s3.environment.items()}
        orders.write_parquet(f"{self._s3.url}/orders/{name}.parquet", storage_options=storage)
        weather.write_delta(self._workshop.project / "data" / "rain", mode="append")
        engine = create_engine(self._database.replace("postgresql://", "postgresql+psycopg://"))
        with engine.begin() as connection:
            connection.execute(text(TABLE))
            told = deliveries.select("parcel", "sent_at", "delivered_at", "hours")
            connection.execute(text(INSERT), told.to_dicts())
        engine.dispose()

    def declare(self) -> None:
        """Write the project file with the declarations of the page."""
        folder = self._workshop.project
        depots = pl.read_parquet(self._workshop.data / "depots.parquet")
        depots.write_csv(folder / "data" / "depots.csv", separator=";")
        declared = BLOCKS["readers"].replace("data/orders/*.parquet", f"{self._s3.url}/orders/*.parquet")
        declared = declared.replace('"data/rain"', '"data/rain", copy=False')
        text = (folder / "project.py").read_text()
        before, _, rest = text.partition("orders = project.source(")
        after = rest.partition("@project.request")[2]
        page = f"{before}{declared}\n\n@project.request{after}".replace("weather[", "rain[")
        (folder / "project.py").write_text(page)
        commit(folder, "rows from elsewhere")


def listed(workshop: Workshop) -> dict[str, dict[str, Any]]:
    """Give the latest reading of each source."""
    code, out, err = workshop.run("snapshot", "list", "--json")
    assert code == 0, err
    return {one["source"]: one for one in reversed(json.loads(out))}


def test_rows_from_a_bucket_a_database_a_lakehouse_and_a_file_are_shipped(
    workshop: Workshop, s3: S3, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARCELS_DB", postgres_url)
    (workshop.project / "data").mkdir()
    (workshop.project / ".gitignore").write_text("data/\n")
    elsewhere = Elsewhere(workshop, s3, postgres_url)
    elsewhere.put("a", early=True)
    elsewhere.declare()

    workshop.ship("--as-of", (elsewhere.cut - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%S"))
    first = listed(workshop)
    assert first["rain"]["reference"].rstrip("/").endswith("data/rain")
    assert "as immutable as its owner" in first["rain"]["said"]

    elsewhere.put("b", early=False)
    release = workshop.ship()
    assert all(gate["verdict"] in {"pass", "warn"} for gate in release["gates"])
    second = listed(workshop)
    assert second["depots"]["rows"] == first["depots"]["rows"] == 3
    for source in ("orders", "deliveries", "rain"):
        assert second[source]["begins"] == ""
        assert second[source]["rows"] > first[source]["rows"] > 0
        assert second[source]["backfilled"] == 0
        assert second[source]["gone"] is None  # only what is new was read

    code, out, err = workshop.run("snapshot", "pin", second["rain"]["snapshot"][7:19], "--json")
    assert code == 0, err
    pinned = json.loads(out)
    assert (pinned["copied"], pinned["rows"]) == (True, second["rain"]["rows"])
    shutil.rmtree(workshop.project / "data" / "rain")
    code, out, err = workshop.run("snapshot", "diff", pinned["snapshot"], pinned["snapshot"], "--json")
    assert code == 0, err
    code, out, err = workshop.run("snapshot", "diff", second["rain"]["snapshot"], pinned["snapshot"])
    assert code in {1, 2}
    assert "can't be read any more" in err


def test_what_the_page_declares_is_taken(workshop: Workshop) -> None:
    before, _, rest = (workshop.project / "project.py").read_text().partition("orders = project.source(")
    after = rest.partition("@project.request")[2].replace("weather[", "rain[")
    body = f"{before}{BLOCKS['readers']}\n{BLOCKS['function']}\n@project.request{after}"
    (workshop.project / "project.py").write_text(body)
    code, out, err = workshop.run("check", str(workshop.project))

    assert code == 0, out + err
