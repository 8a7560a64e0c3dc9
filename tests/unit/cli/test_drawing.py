"""The picture of lineage: well-formed, nothing on top of anything else, no name too long for its box."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations
from typing import Any

import msgspec
import pytest

from lockgate.cli.drawing import draw
from lockgate.project.lineage import Edge, How, Node, NodeKind, lineage
from tests.making.projects import blueprint

SVG = "{http://www.w3.org/2000/svg}"


def found(**more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    given = blueprint()
    whole = lineage(given.request, given.features, given.outcome)
    return {
        "project": "deliveries",
        "version": "v3",
        "package": "sha256:" + "ab" * 32,
        "commit": "0123456789abcdef",
        "dirty": False,
        "snapshots": [{"source": "orders", "snapshot": "sha256:" + "cd" * 32}],
        **msgspec.to_builtins(whole),
        **more,
    }


def wide(columns: int) -> dict[str, Any]:
    """Give a lineage of many columns with long names, some of which come from afar."""
    nodes = [
        Node(id=f"{kind.value}:{number}", kind=kind, name=f"{'s.' * (kind is NodeKind.SOURCE)}{'long_' * 12}{number}")
        for number in range(columns)
        for kind in (NodeKind.SOURCE, NodeKind.REQUEST, NodeKind.FEATURE, NodeKind.MODEL)
    ]
    pairs = [("source", "request"), ("request", "feature"), ("feature", "model"), ("source", "model")]
    edges = [
        Edge(origin=f"{a}:{number}", target=f"{b}:{(number * 7) % columns}", how=How.VALUE)
        for number in range(columns)
        for a, b in pairs
    ]
    return found(nodes=msgspec.to_builtins(nodes), edges=msgspec.to_builtins(edges))


PICTURES = {"a project": found(), "40 columns": wide(40), "one column": wide(1)}


def boxes(svg: str) -> list[tuple[float, float, float, float, str]]:
    found = []
    for group in ET.fromstring(svg).iter(f"{SVG}g"):  # noqa: S314 - our own
        rect, text = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        assert rect is not None
        assert text is not None
        x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        found.append((x, y, x + width, y + height, text.text or ""))
    return found


@pytest.mark.parametrize("what", PICTURES)
def test_no_box_lies_on_another_and_none_outside_of_the_picture(what: str) -> None:
    svg = draw(PICTURES[what])
    root = ET.fromstring(svg)  # noqa: S314 - our own
    width, height = float(root.attrib["width"]), float(root.attrib["height"])

    assert len(boxes(svg)) == len(PICTURES[what]["nodes"])
    for a, b in combinations(boxes(svg), 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
    assert all(0 <= x < right <= width and 0 <= y < bottom <= height for x, y, right, bottom, _ in boxes(svg))


@pytest.mark.parametrize("what", PICTURES)
def test_no_name_is_longer_than_its_box(what: str) -> None:
    for x, _, right, _, text in boxes(draw(PICTURES[what])):
        assert len(text) * 7.3 + 16 <= right - x + 0.1  # places are rounded


@pytest.mark.parametrize("what", PICTURES)
def test_no_line_goes_behind_a_box(what: str) -> None:
    svg = draw(PICTURES[what])
    levels = [
        (float(x), float(y), float(x) + float(length))
        for x, y, length in re.findall(r'd="M([\d.]+) ([\d.]+) h([\d.]+)"', svg)
    ]
    for left, y, right in levels:
        for x, top, end, bottom, _ in boxes(svg):
            assert right <= x or end <= left or not top <= y <= bottom


def test_what_a_name_holds_is_text_and_not_markup() -> None:
    nodes = [{"id": "model:<b>", "kind": "model", "name": "<b>&\"'", "note": "</title>"}]
    root = ET.fromstring(draw(found(nodes=nodes, edges=[])))  # noqa: S314 - our own

    assert "<b>&\"'" in {text.text for text in root.iter(f"{SVG}text")}


def test_a_whole_name_shows_when_pointed_at() -> None:
    assert f"{'long_' * 12}7" in draw(wide(8))
    assert "…" in draw(wide(8))


def test_the_same_lineage_gives_the_same_picture() -> None:
    assert draw(wide(12)) == draw(wide(12))
