"""Draws lineage as SVG: columns of sources on the left, the model's on the right, and what comes from what between.

A column stands right of all it comes from. Within a layer columns stand where what they are joined to stands, so that
lines cross little. Long names are cut in their middle; the whole name shows when it is pointed at.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import msgspec

from lockgate.kernel.canonical import short

__all__ = ["draw"]

_ROW, _BOX, _GAP, _MARGIN, _TOP = 30, 22, 120, 24, 92
_FONT = 'font-family="ui-monospace, DejaVu Sans Mono, monospace" font-size="12"'
_LETTER = 7.3
_LONGEST = 32
_SWEEPS = 8
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


class _Box(msgspec.Struct):
    """A column's place."""

    node: dict[str, Any]
    layer: int
    x: float = 0.0
    y: float = 0.0


def draw(found: Mapping[str, Any]) -> str:
    """Give the lineage of a release as an SVG document."""
    boxes = _layered(found)
    layers = _ordered(boxes, found["edges"])
    heads = _placed(layers, {one["source"]: one["snapshot"] for one in found["snapshots"]})
    width = max(box.x for box in boxes.values()) + _width(layers[-1]) + _MARGIN
    height = max(box.y for box in boxes.values()) + _ROW + _MARGIN
    legend = _legend({box.node["kind"] for box in boxes.values()})
    width = max(width, legend[1], _MARGIN * 2 + _LETTER * len(_title(found)))
    widths = [_width(layer) for layer in layers]
    size = round(width), round(height)
    lines = [_line(boxes[edge["origin"]], boxes[edge["target"]], edge["how"], widths) for edge in found["edges"]]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" {_FONT} {_of(*size)}>',
        f'<rect {_of(*size)} fill="#ffffff"/>',
        f'<text x="{_MARGIN}" y="32" font-size="14" font-weight="bold" fill="#263238">{escape(_title(found))}</text>',
        legend[0],
        *sorted(lines),  # the dashed ones lie below
        *heads,
        *(_drawn(box, widths[box.layer]) for box in boxes.values()),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _of(width: int, height: int) -> str:
    return f'width="{width}" height="{height}"'


def _title(found: Mapping[str, Any]) -> str:
    mark = " with uncommitted changes" if found["dirty"] else ""
    made = f"package {short(found['package'])} · commit {found['commit'][:12]}{mark}"
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
    return {name: _Box(node, last if node["kind"] in _LAST else layers[name]) for name, node in nodes.items()}


def _ordered(boxes: Mapping[str, _Box], edges: Sequence[Mapping[str, Any]]) -> list[list[_Box]]:
    """Order each layer by where what its columns are joined to stands."""
    joined: dict[int, list[_Box]] = {id(box): [] for box in boxes.values()}
    for edge in edges:
        origin, target = boxes[edge["origin"]], boxes[edge["target"]]
        joined[id(origin)].append(target)
        joined[id(target)].append(origin)
    layers: list[list[_Box]] = [[] for _ in range(1 + max(box.layer for box in boxes.values()))]
    for box in boxes.values():
        layers[box.layer].append(box)
    layers = [layer for layer in layers if layer]
    for number, layer in enumerate(layers):
        for box in layer:
            box.layer = number
    _stand(layers)
    for sweep in range(_SWEEPS):
        for layer in layers if sweep % 2 else reversed(layers):
            wanted = {id(box): _mean([other.y for other in joined[id(box)]], box.y) for box in layer}
            groups: dict[str, list[float]] = {}
            for box in layer:
                groups.setdefault(_group(box), []).append(wanted[id(box)])
            layer.sort(key=lambda box: (_mean(groups[_group(box)], 0), _group(box), wanted[id(box)]))
        _stand(layers)
    return layers


def _group(box: _Box) -> str:
    """Columns of one source stand together."""
    name: str = box.node["name"]
    return name.partition(".")[0] if box.node["kind"] == "source" else name


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _stand(layers: Sequence[Sequence[_Box]]) -> None:
    """Let the columns of each layer stand below each other, every layer around the same middle."""
    for layer in layers:
        for number, box in enumerate(layer):
            box.y = number - (len(layer) - 1) / 2


def _placed(layers: Sequence[Sequence[_Box]], snapshots: Mapping[str, str]) -> list[str]:
    """Give every column its place in the picture; give the heads of the sources."""
    rows = [len(layer) for layer in layers]
    rows[0] += len({_group(box) for box in layers[0]})
    x, heads = float(_MARGIN), []
    for layer, count in zip(layers, rows, strict=True):
        y = _TOP + (max(rows) - count) * _ROW / 2
        previous = ""
        for box in layer:
            if box.node["kind"] == "source" and _group(box) != previous:
                previous = _group(box)
                taken = f" · snapshot {short(snapshots[previous])}" if previous in snapshots else ""
                heads.append(
                    f'<text x="{x:.0f}" y="{y + _BOX - 5:.0f}" font-size="11" fill="#607d8b">'
                    f"{escape(_cut(previous))}{taken}</text>"
                )
                y += _ROW
            box.x, box.y = x, y
            y += _ROW
        x += _width(layer) + _GAP
    return heads


def _width(layer: Sequence[_Box]) -> float:
    least = 26 if any(box.node["kind"] == "source" for box in layer) else 0  # the head of a source is as long
    return 16 + _LETTER * max(least, *(len(_cut(_label(box))) for box in layer), 6)


def _label(box: _Box) -> str:
    name: str = box.node["name"]
    return name.partition(".")[2] if box.node["kind"] == "source" else name


def _cut(text: str) -> str:
    """Cut a long name in its middle: names that differ mostly differ at their ends."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[: _LONGEST // 2]}…{text[-(_LONGEST // 2 - 1) :]}"


def _drawn(box: _Box, width: float) -> str:
    fill, line = _COLOURS[box.node["kind"]]
    note = f": {box.node['note']}" if box.node.get("note") else ""
    told = f"{_WORDS[box.node['kind']]} {box.node['name']}{note}"
    return (
        f"<g><title>{escape(told)}</title>"
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{width:.1f}" height="{_BOX}" rx="4"'
        f' fill="{fill}" stroke="{line}"/>'
        f'<text x="{box.x + 8:.1f}" y="{box.y + 15:.1f}" fill="{line}">{escape(_cut(_label(box)))}</text></g>'
    )


def _line(origin: _Box, target: _Box, how: str, widths: Sequence[float]) -> str:
    begin, end = origin.x + widths[origin.layer], target.x
    a, b, bend = origin.y + _BOX / 2, target.y + _BOX / 2, _GAP * 0.5
    look = 'stroke="#b0bec5" stroke-dasharray="3 3"' if how == "match" else 'stroke="#78909c"'
    path = f"M{begin:.1f} {a:.1f} C{begin + bend:.1f} {a:.1f} {end - bend:.1f} {b:.1f} {end:.1f} {b:.1f}"
    return f'<path {look} fill="none" d="{path}"/>'


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
