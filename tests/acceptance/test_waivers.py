"""A gate that stays shut is waived by a person, used as a user would: by commands, over data that goes on changing."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from tests.making.parcels import commit, write_data
from tests.making.workshop import Workshop

GATE = "metric roc_auc"
SOON = (datetime.now(UTC) + timedelta(days=7)).strftime("%Y-%m-%d")


def ask_too_much(workshop: Workshop) -> str:
    """Ask more of a model than it has, and give the walk that this stops."""
    text = (workshop.project / "project.py").read_text()
    (workshop.project / "project.py").write_text(text.replace("at_least=0.6", "at_least=0.99"))
    commit(workshop.project, "Too much to ask")
    workshop.refused()
    walk: str = workshop.status()["walks"][0]["id"]
    return walk


def waive(workshop: Workshop, walk: str, **changed: str) -> tuple[int, str, str]:
    said = {"gate": GATE, "reason": "a pilot with ten couriers", "until": SOON} | changed
    return workshop.run("waive", walk, *(word for name, text in said.items() for word in (f"--{name}", text)))


def test_a_person_waives_a_verdict_and_everybody_sees_it(workshop: Workshop) -> None:
    walk = ask_too_much(workshop)
    for changed, words in {
        ("gate", "metric roc-auc"): "Did you mean 'metric roc_auc'?",
        ("gate", "data checks"): "is open; there is nothing to waive",
        ("reason", " "): "why the verdict need not hold this package back",
        ("until", "2020-01-01"): "90 days at most",
    }.items():
        code, _, err = waive(workshop, walk, **dict([changed]))
        assert code == 1
        assert words in err
    code, out, err = waive(workshop, walk)
    assert code == 0, err
    assert f"lockgate ship --walk {walk}" in out

    # What came meanwhile makes another package, and the waiver is about that one.
    write_data(workshop.data, days=44, rows=3300)
    anew = [word for source in ("orders", "deliveries", "weather") for word in ("--anew", source)]
    error = workshop.refused(*anew)
    assert "is about another package" in error
    code, out, err = workshop.run("ship", "--walk", walk)
    assert code == 0, err
    assert "waived until" in out
    assert "a pilot with ten couriers" in " ".join(out.split())

    _, told, _ = workshop.run("status")
    assert f"{GATE}: waived until {SOON} waived by local" in " ".join(told.split())
    _, told, _ = workshop.run("status", "parcels", "--json")
    endpoint = json.loads(told)
    (release,) = endpoint["releases"]
    (waiver,) = endpoint["waivers"]
    assert release["level"] == "live"
    assert {one["gate"]: one["waiver"] and one["waiver"]["state"] for one in release["gates"]}[GATE] == "in force"
    assert (waiver["by"], waiver["package"], waiver["state"]) == ("local", release["package"], "in force")
    assert workshop.fits() == 2


def test_a_check_of_data_is_not_waived_and_says_what_can_be_done(workshop: Workshop) -> None:
    (workshop.project / "project.py").write_text(
        (workshop.project / "project.py")
        .read_text()
        .replace('lg.between("weight", 0, 100)', 'lg.between("weight", 0, 1)')
    )
    commit(workshop.project, "Light parcels only")
    assert "does not hold" in workshop.refused()
    code, _, err = waive(workshop, workshop.status()["walks"][0]["id"])

    assert code == 1
    assert "did not come to its gates" in err
    assert "warn=True" in err


@pytest.mark.parametrize("option", [("--dirty",), ("--as-of", "2026-03-20")])
def test_going_on_with_a_walk_takes_no_other_data(workshop: Workshop, option: tuple[str, ...]) -> None:
    code, _, err = workshop.run("ship", "--walk", "0123456789abcdef", *option)

    assert code == 2
    assert "takes data and options from that walk" in " ".join(err.replace("│", " ").split())
