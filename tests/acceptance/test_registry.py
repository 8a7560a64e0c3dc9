"""The registry's questions, asked as a user would: by commands."""

import json
from datetime import UTC, datetime

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.making.workshop import Workshop


def test_what_was_live_is_told_by_a_command_with_who_and_the_evidence(shipped: Workshop) -> None:
    now = datetime.now(UTC).isoformat()
    code, out, err = shipped.run("status", "parcels", "--at", now)
    assert code == 0, err
    told = " ".join(out.split())
    assert "parcels v1 was live on" in told
    assert "released by local" in told
    assert "evidence metrics about" in told

    code, out, err = shipped.run("status", "parcels", "--at", now, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["releases"][0]["release"]["level"] == "live"
    assert found["until"] is None

    code, _, err = shipped.run("status", "parcels", "--at", "2020-01-01")
    assert code == 1
    assert "Nothing was live at parcels" in err
    assert shipped.run("status", "--at", "2020-01-01")[0] == 2


def test_a_model_card_is_written_in_every_form(shipped: Workshop) -> None:
    folder = shipped.state.parent
    for form in ("md", "html", "cyclonedx"):
        code, _, err = shipped.run("package", "card", "parcels", "--format", form, "--output", f"{folder}/card.{form}")
        assert code == 0, err
    bill = (folder / "card.cyclonedx").read_text()

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill) is None
    assert {one["name"] for one in json.loads(bill)["components"]} >= {"weather", "scikit-learn", "training set"}
    assert "roc_auc" in (folder / "card.md").read_text()
    assert "<h1>parcels v1</h1>" in (folder / "card.html").read_text()


def test_a_package_with_look_ups_answers_as_itself_and_the_command_says_so(shipped: Workshop) -> None:
    code, out, err = shipped.run("package", "diff", "parcels", "parcels@v1")

    assert code == 0, err
    told = " ".join(out.split())
    assert "It is one package, released twice." in told
    assert "0 decisions flipped (0.00%); scores differ by 0 on average, 0 at most" in told


def test_of_a_fresh_installation_nothing_goes_and_for_each_blob_there_is_a_proof(shipped: Workshop) -> None:
    code, out, err = shipped.run("gc", "--dry-run", "--keep-for", "1d", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["blobs"], found["young_blobs"]) == ([], 0)  # also the young ones are all reached

    model = next(path for path in (shipped.state / "blobs").rglob("*") if path.is_file())
    code, out, err = shipped.run("gc", "--why", f"sha256:{model.name}")
    assert code == 0, err
    assert "is kept by the rule" in " ".join(out.split())
    assert f"mentions blob sha256:{model.name}" in out

    code, out, err = shipped.run("gc")
    assert code == 0, err
    assert "0 blobs and 0 unpacked packages deleted" in out
    assert shipped.run("gc", "--keep-for", "1h")[0] == 1
