"""Keys are replaced, shown and taken out, used as a user would: by commands; a colleague verifies what was signed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.making.up import Running, parcel
from tests.making.workshop import Workshop, wait_for


def keys(workshop: Workshop) -> list[dict[str, Any]]:
    code, out, err = workshop.run("key", "list", "--json")
    assert code == 0, err
    found: list[dict[str, Any]] = json.loads(out)
    return found


def test_a_key_is_replaced_and_a_colleague_verifies_what_the_new_one_signed(shipped: Workshop, tmp_path: Path) -> None:
    old, package = keys(shipped)[0]["key"], shipped.first["package"]
    code, out, err = shipped.run("key", "new")
    assert code == 0, err
    assert "signs with from now on" in " ".join(out.split())
    code, _, err = shipped.run("key", "distrust", old)
    assert code == 1
    assert "parcels v1 would not be loaded any more" in err
    fits = shipped.fits()
    assert (shipped.ship()["package"], shipped.fits()) == (package, fits)
    code, out, err = shipped.run("key", "distrust", old)
    assert code == 0, err
    assert "parcels v1 can't be gone back to" in " ".join(out.split())

    code, out, err = shipped.run("rollback", "parcels", "--reason", "it is wrong")
    assert code == 1
    assert "was signed by nobody who is trusted here" in err
    assert "parcels v1 (previous) · signed by nobody who is trusted here" in " ".join(shipped.run("status")[1].split())

    parcel, new_pub, old_pub = tmp_path / "parcel", tmp_path / "new.pub", tmp_path / "old.pub"
    new_pub.write_text(shipped.run("key", "show")[1])
    old_pub.write_text(shipped.run("key", "show", old)[1])
    assert shipped.run("package", "export", "parcels", str(parcel))[0] == 0
    assert shipped.run("package", "verify", str(parcel), "--key", str(new_pub))[0] == 0
    assert shipped.run("package", "verify", str(parcel), "--key", str(old_pub))[0] == 1
    code, _, err = shipped.run("key", "trust", str(shipped.state / "keys" / "release.pem"), "--name", "ada")
    assert code == 1
    assert "is a private key, and nothing was done with it" in err
    assert shipped.run("key", "trust", str(old_pub), "--name", "before")[0] == 0
    assert [(one["name"], one["trusted"]) for one in keys(shipped)] == [("", True), ("before", True)]
    assert shipped.run("rollback", "parcels", "--reason", "it is wrong")[0] == 0


@pytest.fixture
def running(shipped: Workshop) -> Iterator[Running]:
    found = Running(shipped)
    yield found
    found.stop()


def test_a_worker_keeps_what_it_verified_and_one_that_starts_loads_nothing_of_a_key_that_was_taken_out(
    running: Running,
) -> None:
    workshop = running.workshop
    old = keys(workshop)[0]["key"]
    assert workshop.run("key", "new")[0] == 0
    code, out, err = workshop.run("key", "distrust", old, "--even-if-live")
    assert code == 0, err
    assert "workers that run keep it" in " ".join(out.split())
    assert running.predict(parcel())["version"] == "v1"

    running.stop()
    again = Running(workshop)
    try:
        refused = again.post("/v1/predict/parcels", {"rows": [parcel()]}, to="predict")
        assert refused.status_code >= 400
        workshop.ship()
        wait_for(lambda: again.predict(parcel())["version"] == "v2")
    finally:
        again.stop()
