"""The register of features and lineage, used as a user would: by commands, over two projects and several releases."""

import json
import shutil
from pathlib import Path

import httpx
import pytest

from tests.making.parcels import commit, make_project
from tests.making.workshop import Workshop

SHARED = '''"""What our projects see of a parcel."""

import lockgate as lg


@lg.feature(version=1, owner="operations")
def size_class(weight: float) -> int:
    """How heavy it is, in classes."""
    return 0 if weight < 5 else 1 if weight < 20 else 2
'''


def edit(folder: Path, old: str, new: str, name: str = "project.py") -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    commit(folder, f"Change {name}")


def share(folder: Path, shared: str = SHARED) -> None:
    (folder / "common_features.py").write_text(shared)
    edit(folder, "import tables\n", "import tables\nfrom common_features import size_class\n")
    edit(folder, "hour, heavy, depots", "hour, heavy, size_class, depots")


def asked(workshop: Workshop, *command: str) -> object:
    code, out, err = workshop.run(*command, "--json")
    assert code == 0, err
    return json.loads(out)


def test_a_changed_definition_is_refused_by_check_and_ship_until_its_version_is_raised(shipped: Workshop) -> None:
    edit(shipped.project, "weight > 20 and", "weight > 18 and")
    code, _, checked = shipped.run("check", str(shipped.project))
    refused = shipped.refused()

    assert code == 1
    for said in (checked, refused):
        assert "project.py:" in said
        assert said.count("sha256:") == 2
        assert "-    return weight > 20 and hour > 12" in said
        assert "+    return weight > 18 and hour > 12" in said
        assert "version=2" in said
    assert shipped.fits() == 1

    edit(shipped.project, "@project.feature\ndef heavy", "@project.feature(version=2)\ndef heavy")
    assert shipped.run("check", str(shipped.project))[0] == 0
    assert shipped.ship()["version"] == "v2"


def test_two_versions_of_a_feature_are_served_at_once_and_after_a_rollback(shipped: Workshop) -> None:
    edit(shipped.project, "def heavy(weight: float, hour: int) -> bool:\n    return weight > 20 and hour > 12",
         "def heavy(weight: float, hour: int) -> bool:\n    return weight <= 20")  # fmt: skip
    edit(shipped.project, "@project.feature\ndef heavy", "@project.feature(version=2)\ndef heavy")
    shipped.ship()
    row = {"parcel": "p1", "sent_at": "2026-04-09T12:00:00Z", "depot": "ams", "service": "day", "weight": 5.0}
    up = shipped.begin("up", "--port", "0", "--control-port", "0", "--tether")
    try:
        seen = {}
        for name in ("live", "back"):
            url, token = shipped.endpoint()
            answer = httpx.post(
                f"{url}/v1/predict/parcels", json={"rows": [row]}, headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.status_code == 200, answer.text
            explained = asked(shipped, "explain", answer.json()["predictions"][0]["id"])
            assert isinstance(explained, dict)
            seen[name] = explained["version"], {one["name"]: one["value"] for one in explained["features"]}["heavy"]
            if name == "live":
                assert shipped.run("rollback", "parcels", "--reason", "test")[0] == 0
    finally:
        up.communicate(timeout=60)

    assert seen == {"live": ("v2", 1.0), "back": ("v1", 0.0)}
    story = asked(shipped, "feature", "show", "parcels/heavy")
    assert isinstance(story, dict)
    users = {(one["version"], user["version"], user["level"]) for one in story["versions"] for user in one["users"]}
    assert users == {(1, "v1", "live"), (2, "v2", "previous")}


def test_a_feature_that_projects_share_has_one_meaning_in_all_of_them(shipped: Workshop, tmp_path: Path) -> None:
    share(shipped.project)
    shipped.ship()
    other = make_project(tmp_path / "letters")
    edit(other, 'lg.Project("parcels"', 'lg.Project("letters"')
    share(other, SHARED.replace("weight < 5", "weight < 6"))
    assert shipped.run("endpoint", "create", "letters", "--replay")[0] == 0
    code, _, refused = shipped.run("ship", str(other))
    assert code != 0
    assert "common_features.py:" in refused
    assert "version=2" in refused

    edit(other, "version=1", "version=2", "common_features.py")
    assert shipped.run("ship", str(other))[0] == 0
    listed = asked(shipped, "feature", "list")
    assert isinstance(listed, list)
    (found,) = [one for one in listed if one["name"] == "size_class"]
    assert found == {
        "name": "size_class",
        "versions": [1, 2],
        "owner": "operations",
        "description": "How heavy it is, in classes.",
        "projects": ["letters", "parcels"],
    }
    story = asked(shipped, "feature", "show", "size_class")
    assert isinstance(story, dict)
    assert [one["version"] for one in story["versions"]] == [2, 1]
    assert story["versions"][0]["columns"] == ["orders.weight"]
    assert {one["source"] for one in story["freshness"]} == {"orders"}
    assert all(one["newest"] for one in story["freshness"])
    code, out, err = shipped.run("feature", "show", "size_class")
    assert code == 0, err
    assert "letters v1 (live)" in out


def test_an_unknown_feature_is_refused_with_the_nearest_name(shipped: Workshop) -> None:
    code, _, err = shipped.run("feature", "show", "parcels/heavi")

    assert code == 1
    assert "'parcels/heavy'" in err


def test_lineage_goes_from_a_column_back_to_snapshots_and_commit(shipped: Workshop, tmp_path: Path) -> None:
    svg = tmp_path / "lineage.svg"
    found = asked(shipped, "lineage", "parcels", "--column", "heavy", "--svg", str(svg))
    assert isinstance(found, dict)
    assert found["release"] == shipped.first["release"]
    assert found["commit"] == shipped.first["commit"]
    assert [one["source"] for one in found["snapshots"]] == ["orders"]
    assert {"source:orders.weight", "source:orders.sent_at"} <= {node["id"] for node in found["nodes"]}
    assert svg.read_text().startswith("<svg")

    code, out, err = shipped.run("lineage", "parcels")
    assert code == 0, err
    assert "heavy model" in out
    assert shipped.first["commit"] in out


@pytest.mark.parametrize("what", ["parcels", "parcels@v1", "digest"])
def test_a_release_is_named_in_several_ways(shipped: Workshop, what: str) -> None:
    found = asked(shipped, "lineage", shipped.first["release"] if what == "digest" else what)

    assert isinstance(found, dict)
    assert found["release"] == shipped.first["release"]


@pytest.mark.parametrize(
    ("command", "hint"),
    [(("parcel",), "'parcels'"), (("parcels@v9",), "v1"), (("parcels", "--column", "heavvy"), "'heavy'")],
)
def test_what_has_no_lineage_is_refused_with_what_has(shipped: Workshop, command: tuple[str, ...], hint: str) -> None:
    code, _, err = shipped.run("lineage", *command)

    assert code == 1
    assert hint in err


def test_check_needs_no_ledger(workshop: Workshop) -> None:
    shutil.rmtree(workshop.state, ignore_errors=True)

    assert workshop.run("check", str(workshop.project))[0] == 0
    assert not workshop.state.exists()
