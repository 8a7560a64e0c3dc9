"""A package is taken out of its installation and verified elsewhere, used as a user would: by commands."""

import json
import shutil
from pathlib import Path

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
