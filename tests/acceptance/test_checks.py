"""Checks, used as a user would: rules written down and reviewed, data examined, walks that stop and walks that warn."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.making.parcels import commit
from tests.making.workshop import Workshop

EXPECT = "orders.expect(lg.between("


def change(workshop: Workshop, old: str, new: str) -> None:
    path = workshop.project / "project.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    commit(workshop.project, "Change")


def rewrite(workshop: Workshop, name: str, *columns: pl.Expr) -> None:
    path = workshop.data / f"{name}.parquet"
    pl.read_parquet(path).with_columns(*columns).write_parquet(path)


def too_heavy(rows: int) -> pl.Expr:
    return pl.when(pl.int_range(pl.len()) < rows).then(pl.lit(1048.4)).otherwise("weight").alias("weight")


def places(release: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["place"]: one for one in release["checks"]}


def test_every_stage_of_a_release_was_examined_and_status_says_what_was_seen(shipped: Workshop) -> None:
    code, out, err = shipped.run("status", "parcels", "--json")
    assert code == 0, err
    (release,) = json.loads(out)["releases"]
    sources = [
        f"{name} as {stage}" for stage in ("read", "kept") for name in ("deliveries", "depots", "orders", "weather")
    ]
    assert sorted(places(release)) == sorted([*sources, "joined", "labelled", "matrix", "test rows", "training rows"])
    assert places(release)["orders as kept"]["found"].startswith("3,000 rows in, 3,000 rows; ")
    assert "never got an outcome" in places(release)["labelled"]["found"]
    (gate,) = [one for one in release["gates"] if one["gate"] == "data checks"]
    assert gate["verdict"] == "pass"

    _, shown, _ = shipped.run("status", "parcels")
    assert "orders as kept" in shown


def test_a_walk_that_a_check_stops_tells_a_newcomer_what_is_wrong_and_what_to_do(shipped: Workshop) -> None:
    rewrite(shipped, "orders", too_heavy(12))
    error = " ".join(shipped.refused().split())
    for told in (
        "1 rule does not hold; nothing was trained",
        "orders as kept: 0 ≤ weight ≤ 100: 12 of 3,000 rows break it (0.40%, at most 0.00%)",
        "for example weight=1048.4",
        "Mend the data, or what the project file expects of it",
        "lockgate check FOLDER --data",
    ):
        assert told in error, error
    assert shipped.fits() == 1

    code, out, err = shipped.run("check", str(shipped.project), "--data", "--json")
    assert code == 1, err
    orders = next(one for one in json.loads(out) if one["source"] == "orders")
    (broken,) = [one for one in orders["results"] if one["verdict"] != "pass"]
    assert (broken["rule"], broken["failures"], broken["rows"], len(broken["examples"])) == (
        "between(weight)",
        12,
        3000,
        12,
    )
    assert broken["examples"][0]["weight"] == 1048.4


FUNCTION = """
def light_or_by_day(weight: float, sent_at: datetime) -> bool:
    return weight < 30 or sent_at.hour >= 0


orders.expect(lg.holds(light_or_by_day), lg.refers_to("depot", depots))
project.labelled.expect(lg.row_loss(at_most=0.1))
project.training_set.expect(lg.between("late", 0, 1), lg.missing("weather.rain", at_most=0.5))
project.matrix.expect(lg.varies("hour"))
"""


def test_a_walk_that_only_warns_goes_on_and_says_so(workshop: Workshop) -> None:
    # Not one that has shipped: rows that change are known from the day they changed, after all that is tested on.
    change(workshop, '"weight", 0, 100)', '"weight", 0, 100, warn=0.001, at_most=0.01)')
    change(workshop, "\n\n@project.request", f"\n{FUNCTION}\n\n@project.request")
    rewrite(workshop, "orders", too_heavy(12))
    release = workshop.ship()
    (gate,) = [one for one in release["gates"] if one["gate"] == "data checks"]
    assert gate["verdict"] == "warn"
    assert "orders as kept: between(weight)" in gate["note"]
    assert "0 ≤ weight ≤ 100: warn" in places(release)["orders as kept"]["found"]


def test_rows_in_quarantine_are_counted_and_never_learnt_from(shipped: Workshop) -> None:
    change(shipped, '"weight", 0, 100))', '"weight", 0, 100, at_most=0.5), quarantine=True)')
    rewrite(shipped, "orders", too_heavy(1000))
    release = shipped.ship()
    assert "1,000 in quarantine" in places(release)["orders as kept"]["found"]
    assert (
        places(release)["labelled"]["found"].partition(" ")[0]
        != places(shipped.first)["labelled"]["found"].partition(" ")[0]
    )
    (split,) = shipped.state.glob("work/*/quarantine-orders.parquet")
    assert pl.read_parquet(split)["weight"].unique().to_list() == [1048.4]
    code, out, _ = shipped.run("check", str(shipped.project), "--data")
    assert code == 0
    assert "1,000 rows in quarantine" in out


def test_rules_are_written_down_once_reviewed_and_loaded(shipped: Workshop) -> None:
    folder = shipped.project
    code, out, err = shipped.run("check", "infer", str(folder), "--source", "orders")
    assert code == 0, err
    assert 'orders.expect(lg.rules_from("checks/orders.toml"))' in out.replace("\n", "")
    written = (folder / "checks" / "orders.toml").read_text()

    code, _, err = shipped.run("check", "infer", str(folder), "--source", "orders")
    assert code == 1
    assert "--replace" in err
    (folder / "checks" / "orders.toml").write_text(written.replace("at_least = 1500", "at_least = 9999"))
    code, out, err = shipped.run("check", "infer", str(folder), "--source", "orders", "--replace")
    assert code == 0, err
    assert "-row_count = { at_least = 9999 }" in out
    assert "+row_count = { at_least = 1500 }" in out

    change(shipped, EXPECT, f'orders.expect(lg.rules_from("checks/orders.toml"))\n{EXPECT}')
    code, out, err = shipped.run("check", str(folder), "--data")
    assert code == 0, err
    assert "weight within 0.25 of its reference" in " ".join(out.split())

    rewrite(shipped, "orders", (pl.col("weight") / 2.2).alias("weight"))
    error = " ".join(shipped.refused().split())
    assert "weight within 0.25 of its reference (PSI)" in error


@pytest.mark.parametrize("command", [["check", "{}", "--data"], ["check", "infer", "{}"]])
def test_without_a_snapshot_there_is_nothing_to_examine_and_the_way_out_is_said(
    workshop: Workshop, command: list[str]
) -> None:
    code, _, err = workshop.run(*(word.format(workshop.project) for word in command))
    assert code == 1
    assert "There is no snapshot of" in err
    assert "lockgate snapshot take FOLDER" in err
    assert not Path(workshop.project / "checks").exists()
