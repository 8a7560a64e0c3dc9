"""How lineage looks in a terminal: a tree for each column of the model, back to columns of sources."""

from typing import Any

from rich.console import Console
from rich.tree import Tree

from lockgate.cli.showing import origin
from lockgate.kernel.canonical import short

__all__ = ["show_lineage"]

_ENDS = {"model", "outcome"}
_STYLES = {
    "source": "green",
    "request": "cyan",
    "lookup": "magenta",
    "window": "magenta",
    "feature": "yellow",
    "model": "bold",
    "outcome": "bold",
}


def show_lineage(found: dict[str, Any], console: Console | None = None) -> None:
    """Show the lineage of a release."""
    out = console or Console()
    asked = f" gave prediction {found['prediction']}" if found["prediction"] else ""
    out.print(f"[bold]{found['project']} {found['version']}[/]{asked} · package {short(found['package'])}")
    out.print(f"[dim]{origin(found, digits=40)}[/]")
    for one in found["snapshots"]:
        known = f", known until {one['known_until'][:19]}" if one["known_until"] else ""
        out.print(f"[dim]snapshot[/] {one['source']} {short(one['snapshot'])}, {one['rows']:,} rows{known}")
    nodes = {node["id"]: node for node in found["nodes"]}
    into: dict[str, list[dict[str, Any]]] = {}
    for edge in found["edges"]:
        into.setdefault(edge["target"], []).append(edge)
    for node in found["nodes"]:
        if node["kind"] in _ENDS:
            out.print(_grown(Tree(_label(node)), node["id"], nodes, into))


def _grown(tree: Tree, node: str, nodes: dict[str, dict[str, Any]], into: dict[str, list[dict[str, Any]]]) -> Tree:
    for edge in into.get(node, ()):
        matched = " [dim](which rows)[/]" if edge["how"] == "match" else ""
        _grown(tree.add(_label(nodes[edge["origin"]]) + matched), edge["origin"], nodes, into)
    return tree


def _label(node: dict[str, Any]) -> str:
    note = f", {node['note']}" if node.get("note") else ""
    return f"[{_STYLES[node['kind']]}]{node['name']}[/] [dim]{node['kind']}{note}[/]"
