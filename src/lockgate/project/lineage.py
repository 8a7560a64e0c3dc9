"""Column to column: from what a source holds, through look-ups, windows and features, to what a model sees.

A pure function of the request, the feature set and the outcome: the same data that decides every value. It is asked for
when it is wanted and kept nowhere.
"""

import enum
from collections.abc import Iterable, Iterator

import msgspec

from lockgate.records.features import (
    FeatureSet,
    InputKind,
    Lookup,
    OutcomeSpec,
    RequestSpec,
    Window,
)

__all__ = ["Edge", "How", "Lineage", "Node", "NodeKind", "lineage", "source_columns", "upstream"]


class NodeKind(enum.Enum):
    """What a column is a column of."""

    SOURCE = "source"  # of a source, as in its snapshot
    REQUEST = "request"  # a field of the request
    LOOKUP = "lookup"  # a source's, as known when asked
    WINDOW = "window"  # an aggregate, as known when asked
    FEATURE = "feature"  # computed
    MODEL = "model"  # of the matrix
    OUTCOME = "outcome"  # what the model learns to foresee


class How(enum.Enum):
    """What one column is to another."""

    VALUE = "value"  # its value is made of it
    MATCH = "match"  # it decides which rows are meant


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A column."""

    # `kind:name`, such as `source:planes.year_built`.
    id: str
    kind: NodeKind
    # Its name; with its source before it, where it is one's.
    name: str
    # What there is to know of it, in words: a version, an aggregate, a type.
    note: str = ""


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """One column comes from another."""

    # The ids of both.
    origin: str
    target: str
    how: How


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    """Columns, those of a source first, and what comes from what."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def into(self, node: str) -> list[Edge]:
        """Give what a column comes from."""
        return [edge for edge in self.edges if edge.target == node]


def lineage(request: RequestSpec, features: FeatureSet, outcome: OutcomeSpec) -> Lineage:
    """Give the lineage of all that the model sees and learns."""
    weaver = _Weaver()
    for field in request.fields:
        node = weaver.node(NodeKind.REQUEST, field.name, field.kind.value)
        weaver.edge(weaver.node(NodeKind.SOURCE, f"{request.history}.{field.name}"), node)
    for lookup in features.lookups:
        weaver.lookup(lookup)
    for window in features.windows:
        weaver.window(window)
    for feature in features.features:
        node = weaver.node(NodeKind.FEATURE, feature.name, f"version {feature.version}, {feature.returns.value}")
        for one in feature.inputs:
            weaver.edge(_origin(one.kind, one.name, one.source), node)
    for column in features.columns:
        note = column.type.value if column.type else ""
        node = weaver.node(NodeKind.MODEL, column.name, note)
        weaver.edge(_origin(column.kind, column.origin, column.source), node)
    told = weaver.node(NodeKind.OUTCOME, outcome.name, outcome.returns.value)
    for name in outcome.inputs:
        weaver.edge(weaver.node(NodeKind.SOURCE, f"{outcome.source}.{name}"), told)
    ends = [node.id for node in weaver.nodes.values() if node.kind in {NodeKind.MODEL, NodeKind.OUTCOME}]
    return upstream(Lineage(nodes=tuple(weaver.nodes.values()), edges=tuple(weaver.edges)), ends)


class _Weaver:
    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: dict[Edge, None] = {}

    def node(self, kind: NodeKind, name: str, note: str = "") -> str:
        found = f"{kind.value}:{name}"
        self.nodes.setdefault(found, Node(id=found, kind=kind, name=name, note=note))
        return found

    def edge(self, origin: str, target: str, how: How = How.VALUE) -> None:
        self.edges[Edge(origin=origin, target=target, how=how)] = None

    def lookup(self, lookup: Lookup) -> None:
        matched = self.node(NodeKind.SOURCE, f"{lookup.source}.{lookup.by}")
        for column in lookup.columns:
            name = f"{lookup.source}.{column.name}"
            note = "the latest known when asked" if lookup.clocked else "as in the snapshot"
            node = self.node(NodeKind.LOOKUP, name, note)
            self.edge(self.node(NodeKind.SOURCE, name), node)
            self.edge(matched, node, How.MATCH)
            self.edge(f"{NodeKind.REQUEST.value}:{lookup.by}", node, How.MATCH)

    def window(self, window: Window) -> None:
        matched = self.node(NodeKind.SOURCE, f"{window.source}.{window.by}")
        for column in window.columns:
            what = f" of {window.value}" if window.value else " of rows"
            node = self.node(NodeKind.WINDOW, column.name, f"{column.aggregate.value}{what} over {column.span}")
            if window.value is not None:
                self.edge(self.node(NodeKind.SOURCE, f"{window.source}.{window.value}"), node)
            self.edge(matched, node, How.MATCH)
            self.edge(f"{NodeKind.REQUEST.value}:{window.by}", node, How.MATCH)


def _origin(kind: InputKind, name: str, source: str) -> str:
    if kind is InputKind.LOOKUP:
        return f"{NodeKind.LOOKUP.value}:{source}.{name}"
    kinds = {
        InputKind.FIELD: NodeKind.REQUEST,
        InputKind.FEATURE: NodeKind.FEATURE,
        InputKind.WINDOW: NodeKind.WINDOW,
    }
    return f"{kinds[kind].value}:{name}"


def upstream(whole: Lineage, ends: Iterable[str]) -> Lineage:
    """Give the part that some columns come from, themselves with it."""
    into: dict[str, list[str]] = {}
    for edge in whole.edges:
        into.setdefault(edge.target, []).append(edge.origin)
    reached = set(_reached(into, ends))
    order = {kind: number for number, kind in enumerate(NodeKind)}
    return Lineage(
        nodes=tuple(sorted((one for one in whole.nodes if one.id in reached), key=lambda one: order[one.kind])),
        edges=tuple(edge for edge in whole.edges if edge.target in reached),
    )


def _reached(into: dict[str, list[str]], ends: Iterable[str]) -> Iterator[str]:
    seen: set[str] = set()
    waiting = list(ends)
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            yield node
            waiting += into.get(node, [])


def source_columns(whole: Lineage, node: str) -> tuple[str, ...]:
    """Give the columns of sources that a column's value is made of, sorted."""
    values = Lineage(nodes=whole.nodes, edges=tuple(edge for edge in whole.edges if edge.how is How.VALUE))
    return tuple(sorted(one.name for one in upstream(values, [node]).nodes if one.kind is NodeKind.SOURCE))
