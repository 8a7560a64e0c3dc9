"""Every column of a model is traced to what its value is made of, and to what decides which rows are meant."""

import pytest

from lockgate.project.lineage import How, Lineage, NodeKind, lineage, source_columns, upstream
from tests.making.projects import blueprint


def whole() -> Lineage:
    found = blueprint()
    return lineage(found.request, found.features, found.outcome)


MADE_OF = {
    "depot": ("orders.depot",),
    "weight": ("orders.weight",),
    "hour": ("orders.asked",),
    "rush": ("orders.asked",),
    "van_age": ("orders.asked", "vans.built"),
    "each": ("orders.parcels", "orders.weight"),
    "traffic_jams": ("traffic.jams",),
    "traffic_mood": ("traffic.mood",),
}


@pytest.mark.parametrize("column", MADE_OF)
def test_a_model_column_is_traced_to_columns_of_sources(column: str) -> None:
    assert source_columns(whole(), f"model:{column}") == MADE_OF[column]


def test_every_model_column_and_the_outcome_are_there() -> None:
    ends = {node.name for node in whole().nodes if node.kind in {NodeKind.MODEL, NodeKind.OUTCOME}}

    assert ends == {*MADE_OF, "late"}
    assert source_columns(whole(), "outcome:late") == ("arrivals.minutes",)


def test_what_decides_which_rows_are_meant_is_told_apart_from_what_a_value_is_made_of() -> None:
    into = {(edge.origin, edge.how) for edge in whole().into("lookup:traffic.jams")}

    assert into == {
        ("source:traffic.jams", How.VALUE),
        ("source:traffic.depot", How.MATCH),
        ("request:depot", How.MATCH),
    }


def test_an_edge_joins_columns_that_are_there() -> None:
    names = {node.id for node in whole().nodes}

    assert {end for edge in whole().edges for end in (edge.origin, edge.target)} <= names


def test_what_a_column_does_not_come_from_is_left_out() -> None:
    found = upstream(whole(), ["model:rush"])

    assert [node.id for node in found.nodes] == [
        "source:orders.asked",
        "request:asked",
        "feature:hour",
        "feature:rush",
        "model:rush",
    ]


def test_a_request_field_that_nothing_uses_is_left_out() -> None:
    assert "request:order_id" not in {node.id for node in whole().nodes}
