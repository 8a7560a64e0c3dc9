"""Draws lineage as SVG: columns of sources on the left, the model's on the right, and what comes from what between.

A column stands right of all it comes from. Within a layer columns stand where what they are joined to stands, so that
lines cross little; lines go past columns, never behind them. Long names are cut in their middle; the whole name shows
when it is pointed at.
"""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import Any

import msgspec

from lockgate.kernel.canonical import short

__all__ = ["draw"]

_ROW, _BOX, _WAY, _GAP, _MARGIN, _TOP = 30, 22, 12, 110, 24, 92
_FONT = 'font-family="ui-monospace, DejaVu Sans Mono, monospace" font-size="12"'
_LETTER = 7.3
_LONGEST = 32
_SWEEPS = 24
_LOOKS = {
    "match": 'fill="none" stroke="#b0bec5" stroke-dasharray="3 3"',
    "value": 'fill="none" stroke="#78909c"',
}
_LAST = {"model", "outcome"}
_COLOURS = {
    "source": ("#e6f4ea", "#2d7d46"),
    "request": ("#e3f2fb", "#1d6f9f"),
    "lookup": ("#f3e8fa", "#7c3fa0"),
    "window": ("#fae8f1", "#a8326b"),
    "feature": ("#fdf3d8", "#96690a"),
    "model": ("#eceff1", "#37474f"),
    "outcome": ("#fde7e4", "#b23b2c"),
}
_WORDS = {
    "source": "column of a source",
    "request": "field of the request",
    "lookup": "looked up",
    "window": "aggregated",
    "feature": "feature",
    "model": "what the model sees",
    "outcome": "what it foresees",
}


class _Box(msgspec.Struct, eq=False):
    """A column's place; without a node, the way of a line past other columns."""

    layer: int
    node: dict[str, Any] | None = None
    how: str = ""
    x: float = 0.0
    # Its middle.
    y: float = 0.0

    @property
    def kind(self) -> str:
        return str(self.node["kind"]) if self.node else ""

    @property
    def group(self) -> str:
        """Columns of one source stand together."""
        return str(self.node["name"]).partition(".")[0] if self.node and self.kind == "source" else ""

    @property
    def label(self) -> str:
        if self.node is None:
            return ""
        name = str(self.node["name"])
        return _cut(name.partition(".")[2] if self.kind == "source" else name)

    @property
    def room(self) -> float:
        return _ROW if self.node else _WAY


_Line = tuple[_Box, _Box, str]


def draw(found: Mapping[str, Any]) -> str:
    """Give the lineage of a release as an SVG document."""
    boxes = _layered(found)
    lines = _through_layers(boxes, found["edges"])
    layers = _ordered(boxes, lines)
    heads = _placed(layers, {one["source"]: one["snapshot"] for one in found["snapshots"]})
    widths = [_width(layer) for layer in layers]
    legend, legend_width = _legend({box.kind for box in boxes.values()})
    everything = [box for layer in layers for box in layer]
    width = max(box.x for box in everything) + widths[-1] + _MARGIN
    size = (
        round(max(width, legend_width, _MARGIN * 2 + 1.2 * _LETTER * len(_title(found)))),
        round(max(box.y for box in everything) + _ROW / 2 + _MARGIN),
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" {_FONT} {_of(*size)}>',
        f'<rect {_of(*size)} fill="#ffffff"/>',
        f'<text x="{_MARGIN}" y="32" font-size="14" font-weight="bold" fill="#263238">{escape(_title(found))}</text>',
        legend,
        *sorted(_drawn_line(*line, widths) for line in lines),  # by colour: the dashed ones lie below
        *(_drawn_way(box, widths[box.layer]) for box in everything if box.node is None),
        *heads,
        *(_drawn(box, box.node, widths[box.layer]) for box in everything if box.node),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _of(width: int, height: int) -> str:
    return f'width="{width}" height="{height}"'


def _title(found: Mapping[str, Any]) -> str:
    mark = " with uncommitted changes" if found["dirty"] else ""
    origin = f"imported from {found['imported']}" if found.get("imported") else f"commit {found['commit'][:12]}{mark}"
    made = f"package {short(found['package'])} · {origin}"
    return f"{found['project']} {found['version']} · {made}"


def _layered(found: Mapping[str, Any]) -> dict[str, _Box]:
    """Give each column its layer: one more than the last of what it comes from; the model's stand together."""
    into: dict[str, list[str]] = {}
    for edge in found["edges"]:
        into.setdefault(edge["target"], []).append(edge["origin"])
    layers: dict[str, int] = {}

    def layer(node: str) -> int:
        if node not in layers:
            layers[node] = 1 + max((layer(origin) for origin in into.get(node, ())), default=-1)
        return layers[node]

    nodes = {node["id"]: node for node in found["nodes"]}
    last = max(layer(node) for node in nodes)
    return {name: _Box(last if node["kind"] in _LAST else layers[name], node) for name, node in nodes.items()}


def _through_layers(boxes: Mapping[str, _Box], edges: Sequence[Mapping[str, Any]]) -> list[_Line]:
    """Cut edges into lines from layer to layer; those of one column go one way until they part."""
    ways: dict[tuple[str, str, int], _Box] = {}
    lines: dict[_Line, None] = {}
    for edge in edges:
        origin, target, how = boxes[edge["origin"]], boxes[edge["target"]], edge["how"]
        chain = [
            ways.setdefault((edge["origin"], how, layer), _Box(layer, how=how))
            for layer in range(origin.layer + 1, target.layer)
        ]
        lines |= {(a, b, how): None for a, b in pairwise([origin, *chain, target])}
    return list(lines)


def _ordered(boxes: Mapping[str, _Box], lines: Sequence[_Line]) -> list[list[_Box]]:
    """Order each layer by where what it is joined to stands, from left to right and back, several times."""
    before: dict[_Box, list[_Box]] = {}
    after: dict[_Box, list[_Box]] = {}
    for origin, target, _ in lines:
        after.setdefault(origin, []).append(target)
        before.setdefault(target, []).append(origin)
    layers: list[list[_Box]] = [[] for _ in range(1 + max(box.layer for box in boxes.values()))]
    for box in dict.fromkeys([*boxes.values(), *(end for line in lines for end in line[:2])]):
        layers[box.layer].append(box)
    for layer in layers:
        _stand(layer)
    for sweep in range(_SWEEPS):
        joined = after if sweep % 2 else before
        for layer in reversed(layers[:-1]) if sweep % 2 else layers[1:]:
            _sort(layer, joined)
            _stand(layer)
    return layers


def _sort(layer: list[_Box], joined: Mapping[_Box, Sequence[_Box]]) -> None:
    wanted = {box: _mean([other.y for other in joined.get(box, ())], box.y) for box in layer}
    groups: dict[str, list[float]] = {}
    for box in layer:
        groups.setdefault(box.group, []).append(wanted[box])
    layer.sort(key=lambda box: (_mean(groups[box.group], 0) if box.group else wanted[box], box.group, wanted[box]))


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _stand(layer: Sequence[_Box]) -> None:
    """Let the columns of a layer stand below each other, around the same middle as every layer."""
    y = -sum(box.room for box in layer) / 2
    for box in layer:
        box.y = y + box.room / 2
        y += box.room


def _placed(layers: Sequence[Sequence[_Box]], snapshots: Mapping[str, str]) -> list[str]:
    """Give every column its place in the picture; give the heads of the sources."""
    rooms = [sum(box.room for box in layer) for layer in layers]
    rooms[0] += _ROW * len({box.group for box in layers[0] if box.group})
    x, heads = float(_MARGIN), []
    for layer, room in zip(layers, rooms, strict=True):
        y = _TOP + (max(rooms) - room) / 2
        previous = ""
        for box in layer:
            if box.group != previous and box.group:
                previous = box.group
                taken = f" · snapshot {short(snapshots[previous])}" if previous in snapshots else ""
                heads.append(
                    f'<text x="{x:.0f}" y="{y + _ROW - 8:.0f}" font-size="11" fill="#607d8b">'
                    f"{escape(_cut(previous))}{taken}</text>"
                )
                y += _ROW
            box.x, box.y = x, y + box.room / 2
            y += box.room
        x += _width(layer) + _GAP
    return heads


def _width(layer: Sequence[_Box]) -> float:
    heads = [len(_cut(box.group)) + 20 for box in layer if box.group]  # smaller letters
    return 16 + _LETTER * max(6, *(len(box.label) for box in layer), *heads)


def _cut(text: str) -> str:
    """Cut a long name in its middle: names that differ mostly differ at their ends."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}…{text[-(_LONGEST // 2 - 1) :]}"


def _drawn(box: _Box, node: Mapping[str, Any], width: float) -> str:
    fill, line = _COLOURS[box.kind]
    note = f": {node['note']}" if node.get("note") else ""
    told = f"{_WORDS[box.kind]} {node['name']}{note}"
    return (
        f"<g><title>{escape(told)}</title>"
        f'<rect x="{box.x:.1f}" y="{box.y - _BOX / 2:.1f}" width="{width:.1f}" height="{_BOX}" rx="4"'
        f' fill="{fill}" stroke="{line}"/>'
        f'<text x="{box.x + 8:.1f}" y="{box.y + 4:.1f}" fill="{line}">{escape(box.label)}</text></g>'
    )


def _drawn_line(origin: _Box, target: _Box, how: str, widths: Sequence[float]) -> str:
    begin, end, bend = origin.x + widths[origin.layer], target.x, _GAP / 2
    path = f"M{begin:.1f} {origin.y:.1f} C{begin + bend:.1f} {origin.y:.1f}"
    return f'<path {_LOOKS[how]} d="{path} {end - bend:.1f} {target.y:.1f} {end:.1f} {target.y:.1f}"/>'


def _drawn_way(box: _Box, width: float) -> str:
    return f'<path {_LOOKS[box.how]} d="M{box.x:.1f} {box.y:.1f} h{width:.1f}"/>'


def _legend(kinds: set[str]) -> tuple[str, float]:
    """Give what the colours mean, and how wide that is."""
    parts, x = [], float(_MARGIN)
    for kind, words in _WORDS.items():
        if kind in kinds:
            fill, line = _COLOURS[kind]
            parts.append(
                f'<rect x="{x:.0f}" y="50" width="12" height="12" rx="3" fill="{fill}" stroke="{line}"/>'
                f'<text x="{x + 18:.0f}" y="60" font-size="11" fill="#455a64">{words}</text>'
            )
            x += 18 + 6.8 * len(words) + 18
    parts.append(
        f'<path d="M{x:.0f} 56 h24" stroke="#b0bec5" stroke-dasharray="3 3"/>'
        f'<text x="{x + 30:.0f}" y="60" font-size="11" fill="#455a64">says which rows</text>'
    )
    return "\n".join(parts), x + 150
