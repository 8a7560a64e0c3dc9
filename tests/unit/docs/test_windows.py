"""The page about windows is right: its declarations are a project, and its tables are what windows say."""

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lockgate.features.offline import as_served
from lockgate.project.load import load
from lockgate.records.features import (
    Aggregate,
    FeatureSet,
    Field,
    FieldKind,
    InputKind,
    RequestSpec,
    Window,
    WindowColumn,
)
from lockgate.records.source import SourceSpec
from tests.making.projects import traceless
from tests.making.readers import by_function, known

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/how-to/windows.md").read_text(encoding="utf-8")

REST = """

@project.request(key="flight_id", asked_at="scheduled_departure", history=schedule)
class Flight:
    flight_id: str
    scheduled_departure: datetime
    origin: lg.Category
    carrier: lg.Category
    distance: float


@project.outcome(departures, final_after=span(hours=24))
def late(departure_delay: int) -> bool:
    return departure_delay > 15
"""


def blocks() -> dict[str, str]:
    """Give the page's Python, by the part it stands in."""
    parts = re.split(r"<!-- part: (\w+) -->", PAGE)[1:]
    return {
        name: "\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def table(part: str) -> list[list[str]]:
    text = PAGE.split(f"<!-- part: {part} -->")[1]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = lines[2 : next((n for n, line in enumerate(text.splitlines()[2:]) if not line), len(lines))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]


def moment(clock: str) -> datetime:
    hour, minute = clock.split(":")
    return datetime(2013, 1, 7, int(hour), int(minute), tzinfo=UTC)


def test_the_declarations_are_a_project_that_loads(tmp_path: Path) -> None:
    found = blocks()
    model = "\n\n@project.model(late, test=lg.last(span(days=7)), features=[*features, fares])\n"
    fit = "def fit(training, parameters):\n    return None\n"
    shutil.copy(ROOT / "examples/flight_delay/tables.py", tmp_path)
    text = found["declared"] + REST + found["used"] + found["exact"] + model + fit
    (tmp_path / "project.py").write_text(text, encoding="utf-8")
    with traceless():
        features = load(tmp_path).blueprint.features

    assert [window.name for window in features.windows] == ["origin", "fare"]
    assert {column.name for column in features.columns if column.kind is InputKind.WINDOW} == {
        "origin_count_3h",
        "origin_max_3h",
        "fare_sum_7d",
    }


def test_the_names_on_the_page_are_those_of_the_window(tmp_path: Path) -> None:
    shutil.copy(ROOT / "examples/flight_delay/tables.py", tmp_path)
    model = "\n\n@project.model(late, test=lg.last(span(days=7)), features=[recent])\n"
    fit = "def fit(training, parameters):\n    return None\n"
    (tmp_path / "project.py").write_text(blocks()["declared"] + REST + model + fit, encoding="utf-8")
    with traceless():
        (window,) = load(tmp_path).blueprint.features.windows

    assert [column.name for column in window.columns] == re.findall(
        r"`(origin_\w+)`", PAGE.split("It has six columns")[1].split(". There are")[0]
    )


@pytest.mark.parametrize("line", table("answers"), ids=lambda line: line[0])
def test_the_answers_on_the_page_are_what_a_window_says_of_its_rows(line: list[str]) -> None:
    rows = pl.DataFrame(
        [(key, "EWR", moment(due), moment(known_from), int(delay)) for key, due, known_from, delay in table("rows")],
        schema=["flight", "origin", "due", "known", "delay"],
        orient="row",
    )
    source = SourceSpec(name="departures", reader=by_function(), key="flight", event_time="due", available_time="known")
    columns = (Aggregate.COUNT, Aggregate.MEAN, Aggregate.MAX)
    window = Window(
        name="origin",
        source="departures",
        by="origin",
        value="delay",
        value_type=FieldKind.INT,
        columns=tuple(
            WindowColumn(name=f"origin_{one.value}_3h", aggregate=one, span=timedelta(hours=3)) for one in columns
        ),
    )
    request = RequestSpec(
        name="Flight",
        key="flight",
        asked_at="asked",
        history="schedule",
        lateness=timedelta(days=7),
        fields=(
            Field(name="flight", kind=FieldKind.TEXT),
            Field(name="asked", kind=FieldKind.TIME),
            Field(name="origin", kind=FieldKind.CATEGORY),
        ),
    )
    features = FeatureSet(timezone="UTC", lookups=(), windows=(window,), features=(), columns=())
    asked = pl.DataFrame({"flight": ["?"], "asked": [moment(line[0])], "origin": ["EWR"]})
    found = as_served(asked, request, features, {"departures": (source, known(source, rows))})

    told = [float(cell) if cell else None for cell in line[1:4]]
    assert list(found.select(f"origin.{one.name}" for one in window.columns).row(0)) == told
