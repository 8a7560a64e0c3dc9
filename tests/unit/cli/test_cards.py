"""A card says what is recorded and nothing else; whatever anybody wrote is text in it; it holds to its formats."""

import copy
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lockgate.cli.cards.materials import bill_of_materials
from lockgate.cli.cards.sections import NOT_MEASURED, sections
from lockgate.cli.cards.texts import markdown, page
from lockgate.cli.cards.writing import write
from lockgate.engine.card import gather_card
from lockgate.kernel.errors import Unavailable
from tests.unit.engine.making import Clock, bring, opened, write_rules

HOSTILE = "</td><script>alert('x')</script> [click](javascript:x) ![](http://x) *b* `c` | d\n# e\x1b[31m"
VOID = {"meta"}
TAGS = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "section", "div"} | {
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give the facts of a model that was brought, as the API says them."""
    root = tmp_path_factory.mktemp("card")
    write_rules(root)
    with opened(root, Clock()) as where:
        bring(where, root, floors={"roc_auc": 0.1})
        found: dict[str, Any] = json.loads(msgspec.json.encode(gather_card(where, "rules")))
    return found


@pytest.fixture
def card(plain: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(plain)


@pytest.fixture
def hostile(card: dict[str, Any]) -> dict[str, Any]:
    """Give the facts with something evil wherever somebody may write what they like."""
    card["package"]["release"]["by"] = HOSTILE
    card["package"]["imported"] = HOSTILE
    card["package"]["package"]["manifest"]["parameters"] = {HOSTILE: HOSTILE}
    card["contract"]["request"]["fields"][0]["name"] = HOSTILE
    gate = card["release"]["gates"][0]
    gate |= {"gate": HOSTILE, "found": HOSTILE, "note": HOSTILE}
    times = {"until": card["at"], "at": card["at"], "state": "expired"}
    gate["waiver"] = times | {"gate": HOSTILE, "by": HOSTILE, "reason": HOSTILE}
    card["package"]["environment"]["packages"] = {HOSTILE: HOSTILE}
    card["evidence"][0]["values"] = {HOSTILE: {HOSTILE: [HOSTILE]}}
    return card


class Reader(HTMLParser):
    """Reads a page, and refuses what is not closed in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.words += data


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_what_was_not_measured_is_said_to_be_so(card: dict[str, Any]) -> None:
    card["evidence"] = []
    told = {one.title: one for one in sections(card)}

    for name in ("Quality on test rows", "Latency and memory", "Made again from its commit"):
        assert told[name].rows[0][1] == NOT_MEASURED
        assert "Measured on" not in told[name].note
    assert "quantitativeAnalysis" not in bill_of_materials(card)


def test_every_metric_is_there_with_what_it_was_measured_on(card: dict[str, Any]) -> None:
    measured = next(one for one in card["evidence"] if one["kind"] == "metrics")
    quality = next(one for one in sections(card) if one.title == "Quality on test rows")

    assert {f"metrics.{name}" for name in measured["values"]["metrics"]} <= {row[0] for row in quality.rows}
    assert measured["on"] in quality.note
    bill = json.loads(bill_of_materials(card))["metadata"]["component"]["modelCard"]
    metrics = {one["type"]: float(one["value"]) for one in bill["quantitativeAnalysis"]["performanceMetrics"]}
    assert metrics == measured["values"]["metrics"]


def test_evidence_of_a_kind_that_this_release_does_not_know_is_shown_all_the_same(card: dict[str, Any]) -> None:
    card["evidence"].append({**card["evidence"][0], "kind": "kindness", "values": {"shown": [0.25, 0.5]}})
    told = next(one for one in sections(card) if one.title == "Measured: kindness")

    assert told.rows == (("shown", "[0.25, 0.5]"),)


def test_gates_are_told_with_their_verdicts_and_waivers_with_how_they_stand(hostile: dict[str, Any]) -> None:
    told = {one.title: one for one in sections(hostile)}

    assert len(told["Gates"].rows) == len(hostile["release"]["gates"])
    assert [row[1] for row in told["Waivers"].rows] == ["expired"]


def test_a_page_is_closed_in_order_loads_nothing_and_runs_nothing(hostile: dict[str, Any]) -> None:
    text = page(hostile)
    found = read(text)

    assert {tag for tag, _ in found.seen} == TAGS
    assert not {name for _, attributes in found.seen for name in attributes if name.startswith(("on", "src", "href"))}
    assert "default-src 'none'" in text
    assert "\x1b" not in text
    assert "</td><script>alert('x')</script>" in found.words  # as text


def test_a_page_is_for_everybody(card: dict[str, Any]) -> None:
    found = read(page(card))
    tags = [tag for tag, _ in found.seen]
    ids = [attributes["id"] for tag, attributes in found.seen if tag == "h2"]

    assert found.seen[0] == ("html", {"lang": "en"})
    assert tags.count("h1") == tags.count("main") == tags.count("title") == 1
    assert len(set(ids)) == len(ids) == tags.count("section")
    assert tags.count("caption") == tags.count("table")
    assert all("scope" in attributes for tag, attributes in found.seen if tag == "th")
    regions = [attributes for tag, attributes in found.seen if tag == "div"]
    assert all(one["tabindex"] == "0" and one["aria-label"] for one in regions)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_colour_of_a_page_can_be_read_on_its_ground(card: dict[str, Any], theme: int) -> None:
    found = re.findall(r"--(\w+): (#[0-9a-f]{6})", page(card))
    half = len(found) // 2
    colours = dict(found[theme * half : (theme + 1) * half])

    for name in ("text", "faint", "pass", "warn", "fail"):
        for ground in ("ground", "head"):
            light = sorted((_luminance(colours[name]), _luminance(colours[ground])))
            assert (light[1] + 0.05) / (light[0] + 0.05) >= 4.5, (name, ground)


def test_in_markdown_what_somebody_wrote_begins_nothing(hostile: dict[str, Any]) -> None:
    text = markdown(hostile)

    for mark in "`[]<>*#!":
        assert not [line for line in text.splitlines() if re.search(rf"(?<!\\)\{mark}", re.sub(r"^#+ ", "", line))]
    widths = {line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("| ---")}
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") - line.count("\\|") for line in rows} == widths
    assert "\x1b" not in text


def test_a_bill_of_materials_holds_to_its_schema_whatever_somebody_wrote(
    card: dict[str, Any], hostile: dict[str, Any]
) -> None:
    schema = JsonStrictValidator(SchemaVersion.V1_6)

    for facts in (card, hostile):
        assert schema.validate_str(bill_of_materials(facts)) is None
    assert schema.validate_str(bill_of_materials(card).replace("machine-learning-model", "magic")) is not None


def test_a_bill_of_materials_names_every_distribution_every_file_and_the_package(card: dict[str, Any]) -> None:
    bill = json.loads(bill_of_materials(card))
    parts = bill["components"]

    libraries = {one["name"]: one["version"] for one in parts if one["type"] == "library"}
    assert libraries == card["package"]["environment"]["packages"]
    files = card["package"]["package"]["manifest"]["files"]
    assert {one["name"] for one in parts if one["type"] == "file"} == {one["path"] for one in files}
    digest = bill["metadata"]["component"]["hashes"][0]["content"]
    assert f"sha256:{digest}" == card["package"]["package"]["package"]
    assert bill == json.loads(bill_of_materials(card))
    assert len({one["bom-ref"] for one in parts}) == len(parts)


def test_a_card_is_written_to_a_file_or_said(card: dict[str, Any], tmp_path: Path, capsys: Any) -> None:  # noqa: ANN401 - pytest's
    write(card, "md", tmp_path / "new" / "card.md")
    write(card, "md", None)

    assert (tmp_path / "new" / "card.md").read_text() == capsys.readouterr().out == markdown(card)
    with pytest.raises(Unavailable):
        write(card, "md", tmp_path / "new" / "card.md" / "below")
