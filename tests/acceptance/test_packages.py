"""A package is taken out of its installation, verified elsewhere and made again, used as a user would: by commands."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.making.parcels import commit
from tests.making.workshop import Workshop


def test_what_was_released_is_exported_and_verified_where_nothing_of_it_is_left(
    shipped: Workshop, tmp_path: Path
) -> None:
    parcel, key = tmp_path / "parcel", tmp_path / "operations.pub"
    code, out, err = shipped.run("package", "export", "parcels", str(parcel), "--json")
    assert code == 0, err
    exported = json.loads(out)
    assert exported["package"] == shipped.first["package"]
    shutil.copy(exported["public_key"], key)
    shutil.rmtree(shipped.state)

    code, out, err = shipped.run("package", "verify", str(parcel), "--key", str(key), "--json")
    assert code == 0, err
    verified = json.loads(out)
    assert verified["release_id"] == shipped.first["release"]
    assert verified["release"]["by"] == "local"
    assert verified["release"]["commit"] == shipped.first["commit"]
    assert verified["signed_by"] == exported["signed_by"]
    assert {one["path"] for one in verified["package"]["files"]} == set(exported["files"]) - {
        "manifest.json",
        "release.json",
        "environment.json",
    }
    assert "skops" in verified["environment"]["packages"]
    assert not shipped.state.exists()


def test_a_package_is_shown_by_endpoint_by_version_by_digest_and_as_a_folder(shipped: Workshop, tmp_path: Path) -> None:
    parcel = tmp_path / "parcel"
    assert shipped.run("package", "export", "parcels@v1", str(parcel))[0] == 0
    names = ["parcels", "parcels@v1", shipped.first["release"], shipped.first["package"], str(parcel)]
    seen = []
    for name in names:
        code, out, err = shipped.run("package", "show", name, "--json")
        assert code == 0, err
        seen.append(json.loads(out)["package"])

    assert all(one == seen[0] for one in seen)
    assert seen[0]["package"] == shipped.first["package"]
    assert (seen[0]["key"], seen[0]["asked_at"], seen[0]["outcome"]) == ("parcel", "sent_at", "late")
    assert seen[0]["sources"] == ["depots", "weather"]
    said = shipped.run("package", "show", str(parcel))[1]
    assert "not verified" in said
    assert "weight (float)" in " ".join(said.split())


def test_what_can_not_be_exported_is_refused_in_words(shipped: Workshop, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    refusals = {
        ("parcels", "full"): "not empty",
        ("parcles", "new"): "Did you mean 'parcels'",
        ("parcels@v7", "new"): "has no release v7",
        ("sha256:" + "0" * 64, "new"): "There is no release sha256:000",
    }
    for (what, folder), said in refusals.items():
        code, _, err = shipped.run("package", "export", what, str(tmp_path / folder))
        assert code == 1
        assert said in err
        assert "Traceback" not in err
    assert not (tmp_path / "new").exists()


def moved(shipped: Workshop, folder: Path) -> Path:
    """Give a clone of the project's repository that has gone on since, with the project in a folder of it."""
    subprocess.run(["git", "clone", "-q", str(shipped.project), str(folder)], check=True)
    (folder / "inner").mkdir()
    (folder / "project.py").rename(folder / "inner" / "project.py")
    commit(folder, "Moved on")
    return folder / "inner"


def rebuilt(shipped: Workshop, *options: str) -> dict[str, Any]:
    code, out, err = shipped.run("package", "rebuild", "parcels", "--here", "--json", *options)
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)["values"]
    return found


def test_a_package_is_made_again_of_its_commit_wherever_the_repository_stands(
    shipped: Workshop, tmp_path: Path
) -> None:
    values = rebuilt(shipped, "--repository", str(moved(shipped, tmp_path / "clone")))

    assert (values["same_id"], values["rebuilt"]) == (True, shipped.first["package"])
    assert values["commit"] == shipped.first["commit"]
    assert (values["other"], values["environment_differs"], values["fresh"]) == ([], [], False)
    assert shipped.fits() == 2
    status = shipped.status()
    assert [walk["result"] for walk in status["walks"]] == ["rebuilt", "released"]
    assert len(status["endpoints"][0]["releases"]) == 1, "nothing is released"
    shown = json.loads(shipped.run("package", "show", "parcels", "--json")[1])
    assert [one["values"]["same_id"] for one in shown["rebuilt"]] == [True]
    assert not (shipped.state / "work" / status["walks"][0]["id"] / "rebuild").exists()


def test_a_fit_that_differs_in_what_nobody_sees_gives_the_same_answers_and_in_others_is_told(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (workshop.project / "project.py").read_text()
    # Without early stopping its tolerance decides nothing, and is stored all the same.
    noisy = 'random_state=int(os.environ["SEED"]), max_features=0.5, tol=float(os.environ["NOISE"])'
    (workshop.project / "project.py").write_text(text.replace("random_state=0", noisy))
    commit(workshop.project, "Noise")
    monkeypatch.setenv("SEED", "0")
    monkeypatch.setenv("NOISE", "0.1")
    first = workshop.ship()
    monkeypatch.setenv("NOISE", "0.2")
    values = rebuilt(workshop, "--repository", str(workshop.project))

    assert (values["same_id"], values["same_answers"], values["other"]) == (False, True, ["model.bin"])
    assert values["rebuilt"] != first["package"]
    assert values["worst_difference"] <= values["tolerance"]

    monkeypatch.setenv("SEED", "1")
    code, _, err = workshop.run("package", "rebuild", "parcels", "--repository", str(workshop.project), "--here")
    assert code == 1
    assert "came out otherwise" in err
    assert "model.bin" in err


def test_what_can_not_be_made_again_is_refused_at_once(shipped: Workshop, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path / "other")], check=True)
    for place in (tmp_path, tmp_path / "other"):
        code, _, err = shipped.run("package", "rebuild", "parcels", "--repository", str(place))
        assert code == 1
        assert f"does not have commit {shipped.first['commit'][:12]}" in err
    (shipped.project / "extra.py").write_text("x = 1\n")
    assert shipped.ship("--dirty")["version"] == "v2"
    code, _, err = shipped.run("package", "rebuild", "parcels", "--repository", str(shipped.project))
    assert code == 1
    assert "changes that were not committed" in err
    assert shipped.fits() == 2


@pytest.mark.slow
def test_a_package_is_made_again_in_a_fresh_environment_of_the_recorded_distributions(shipped: Workshop) -> None:
    code, out, err = shipped.run("package", "rebuild", "parcels", "--repository", str(shipped.project), "--json")

    assert code == 0, err
    values = json.loads(out)["values"]
    assert (values["same_id"], values["fresh"], values["environment_differs"]) == (True, True, [])
    assert values["rebuilt"] == shipped.first["package"]
