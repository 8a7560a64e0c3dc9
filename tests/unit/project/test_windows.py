"""Windows are compiled to plain data, cut to what is used, typed by the data; their mistakes are told all together."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from lockgate.kernel.errors import Fault, Invalid
from lockgate.project.bind import bind
from lockgate.project.blueprint import Blueprint
from lockgate.records.features import Aggregate, FieldKind, Input, InputKind, Window, WindowColumn
from lockgate.sources.read import kind_of_type
from tests.making.projects import PROJECT, history, load_text

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WINDOW = (
    'load = project.window("load", orders, by="depot", value="weight", '
    'over=[span(hours=3), span(days=1)], of=["count", "mean"])'
)
USED = "traffic["
FEATURE = """

@project.feature
def heavier(weight: float, load_mean_1d: float | None, few: int = load["load_count_3h"]) -> float | None:
    return None if few < 2 else weight - load_mean_1d
"""


def with_window(window: str = WINDOW, feature: str = "", used: str = "load, traffic[") -> str:
    text = PROJECT.replace("@project.outcome(", f"{window}\n\n\n@project.outcome(")
    text = text.replace("\n\n@project.model(", f"{feature}\n\n@project.model(")
    return text.replace("traffic[", used)


def compiled(folder: Path, text: str) -> Blueprint:
    return load_text(folder, text).blueprint


def told(folder: Path, text: str) -> tuple[Fault, ...]:
    with pytest.raises(Invalid) as refused:
        load_text(folder, text)
    return refused.value.faults


def schemas(**changed: FieldKind | None) -> dict[str, dict[str, FieldKind | None]]:
    found = {
        name: {column: kind_of_type(kind) for column, kind in frame.schema.items()}
        for name, (_, frame) in history().items()
    }
    found["orders"] |= changed
    return found


def test_a_window_in_a_models_features_gives_all_its_columns_in_order(tmp_path: Path) -> None:
    found = compiled(tmp_path, with_window()).features

    names = ["load_count_3h", "load_mean_3h", "load_count_1d", "load_mean_1d"]
    assert [column.name for column in found.columns if column.kind is InputKind.WINDOW] == names
    assert found.windows == (
        Window(
            name="load",
            source="orders",
            by="depot",
            value="weight",
            columns=tuple(
                WindowColumn(name=name, aggregate=aggregate, span=over)
                for name, (over, aggregate) in zip(
                    names,
                    [(over, one) for over in (3 * HOUR, DAY) for one in (Aggregate.COUNT, Aggregate.MEAN)],
                    strict=True,
                )
            ),
        ),
    )


def test_only_columns_that_are_used_are_kept(tmp_path: Path) -> None:
    found = compiled(tmp_path, with_window(used='load["load_mean_1d"], traffic[')).features

    assert [column.name for column in found.windows[0].columns] == ["load_mean_1d"]


def test_a_window_that_nobody_reads_is_not_computed(tmp_path: Path) -> None:
    assert compiled(tmp_path, with_window(used=USED)).features.windows == ()


def test_a_feature_reads_a_windows_column_by_name_and_as_default(tmp_path: Path) -> None:
    found = compiled(tmp_path, with_window(feature=FEATURE, used="heavier, traffic[")).features

    (feature,) = [one for one in found.features if one.name == "heavier"]
    assert feature.inputs[1:] == (
        Input(parameter="load_mean_1d", kind=InputKind.WINDOW, name="load_mean_1d", source="load"),
        Input(parameter="few", kind=InputKind.WINDOW, name="load_count_3h", source="load"),
    )
    assert [column.name for column in found.windows[0].columns] == ["load_count_3h", "load_mean_1d"]


@pytest.mark.parametrize(
    ("over", "suffix"),
    {
        "span(hours=24)": "1d",
        "span(days=7)": "7d",
        "span(minutes=90)": "90m",
        "span(minutes=60)": "1h",
        "span(seconds=5)": "5s",
    }.items(),
)
def test_a_span_is_written_in_the_largest_unit_it_is_whole_in(tmp_path: Path, over: str, suffix: str) -> None:
    text = with_window(f'load = project.window("load", orders, by="depot", over=[{over}], of=["count"])')
    (window,) = compiled(tmp_path, text).features.windows

    assert window.columns[0].name == f"load_count_{suffix}"


MISTAKES: Mapping[str, tuple[str, str, str, str, str]] = {
    "a source by its name": ("orders, by", "'arivals', by", "a declared source", "'arivals'", "'arrivals'"),
    "a table": ("orders, by", "vans, by", "a source with a clock", "the table vans", ""),
    "by that is no field": ('by="depot"', 'by="depo"', "by= to name a request field", "'depo'", "'depot'"),
    "by that is no key": ('by="depot"', 'by="weight"', "a field of text, category or int", "float", ""),
    "an unknown aggregate": ('"mean"', '"maen"', "of= to name aggregates", "'maen'", "'mean'"),
    "an aggregate twice": ('"mean"', '"mean", "mean"', "of= with each once", "mean 2 times", ""),
    "no aggregates": ('["count", "mean"]', "[]", "of= to name aggregates", "none", "There is count"),
    "a span that is none": ("span(hours=3)", "span(0)", "spans of whole seconds", "timedelta(0)", ""),
    "a span that is negative": ("span(hours=3)", "-span(hours=3)", "spans of whole seconds", "timedelta", ""),
    "a span that is a number": ("span(hours=3)", "3", "spans of whole seconds", "3", ""),
    "a span of half a second": ("span(hours=3)", "span(seconds=.5)", "spans of whole seconds", "500000", ""),
    "a span twice": ("span(hours=3)", "span(hours=24)", "over= with each once", "1d 2 times", ""),
    "no spans": ("[span(hours=3), span(days=1)]", "[]", "over= at least one span", "none", ""),
    "a mean of nothing": (' value="weight",', "", "value= a column of orders", "none", "mean needs a value"),
    "a negative scale": ("over=", "scale=-1, over=", "scale= decimal places, 0 to 9", "-1", ""),
    "a scale that is text": ("over=", 'scale="2", over=', "scale as a whole number", "'2'", ""),
    "a keyword": ("over=", "spans=2, over=", "window() to be given", "spans", ""),
    "a name that begins no name": ('"load",', '"my load",', "a name for the window", "'my load'", ""),
    "a name that a source has": ('"load",', '"traffic",', "a name of its own for each window", "traffic", ""),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_once_where_the_window_is_declared(tmp_path: Path, what: str) -> None:
    old, new, expected, found, hint = MISTAKES[what]
    assert old in WINDOW
    text = with_window(WINDOW.replace(old, new), FEATURE, "load, heavier, traffic[")
    faults = [one for one in told(tmp_path, text) if "load_" not in one.found]

    assert len(faults) == 1, "\n".join(map(str, faults))
    assert faults[0].at == f"project.py:{text[: text.index('load = project')].count(chr(10)) + 1}"
    assert expected in faults[0].expected
    assert found in faults[0].found
    assert hint in faults[0].hint


def test_the_mistakes_of_a_window_are_told_together(tmp_path: Path) -> None:
    text = with_window('load = project.window("load", vans, by="dpot", over=[span(0)], of=["cont"], scale=3)')

    assert len(told(tmp_path, text)) == 5


def test_a_column_that_the_window_does_not_have_is_told_the_nearest(tmp_path: Path) -> None:
    (fault,) = told(tmp_path, with_window(used='load["load_mean_3d"], traffic['))

    assert (fault.expected, fault.found) == ("a column of the window load", "'load_mean_3d'")
    assert fault.hint == "Did you mean 'load_mean_3h'?"


def test_a_column_taken_twice_is_told(tmp_path: Path) -> None:
    (fault,) = told(tmp_path, with_window(used='load, load["load_mean_1d"], traffic['))

    assert (fault.expected, fault.found) == ("each column once", "load_mean_1d 2 times")


def test_a_column_whose_name_is_a_features_is_told(tmp_path: Path) -> None:
    feature = "\n\n@project.feature\ndef load_mean_1d(weight: float) -> float:\n    return weight\n"
    faults = told(tmp_path, with_window(feature=feature))

    assert [(one.expected, one.found) for one in faults] == [
        ("columns with names of their own", "load_mean_1d, which is taken")
    ]


def test_types_that_only_the_data_knows_are_filled_in(tmp_path: Path) -> None:
    every = 'of=["count", "sum", "mean", "min", "max", "std", "last"]'
    blueprint = compiled(tmp_path, with_window(WINDOW.replace('of=["count", "mean"]', every)))

    (window,) = bind(blueprint, schemas(), {}).windows
    assert window.value_type is FieldKind.FLOAT
    assert [one.type for one in window.columns[:7]] == [FieldKind.INT, *[FieldKind.FLOAT] * 6]
    (window,) = bind(blueprint, schemas(weight=FieldKind.INT), {}).windows
    kinds = {one.aggregate: one.type for one in window.columns}
    assert {one for one, kind in kinds.items() if kind is FieldKind.FLOAT} == {Aggregate.MEAN, Aggregate.STD}


def test_true_and_false_are_aggregated_as_whole_numbers(tmp_path: Path) -> None:
    text = with_window(WINDOW.replace("weight", "heavy").replace("mean", "max"))

    (window,) = bind(compiled(tmp_path, text), schemas(heavy=FieldKind.BOOL), {}).windows
    assert window.value_type is FieldKind.BOOL
    assert {one.type for one in window.columns if one.aggregate is Aggregate.MAX} == {FieldKind.INT}


@pytest.mark.parametrize(
    ("changed", "expected", "found"),
    [
        ({"weight": FieldKind.TEXT}, "weight as a number or true and false", "text"),
        ({"weight": None}, "weight as a number or true and false", "another type"),
        ({"depot": FieldKind.INT}, "orders.depot of the type of the request's depot, category", "int"),
    ],
)
def test_a_window_that_does_not_fit_its_data_is_told_where_it_was_declared(
    tmp_path: Path, changed: dict[str, FieldKind | None], expected: str, found: str
) -> None:
    blueprint = compiled(tmp_path, with_window())
    with pytest.raises(Invalid) as refused:
        bind(blueprint, schemas(**changed), {"window load": "project.py:30"})

    faults = [fault for fault in refused.value.faults if fault.at == "project.py:30"]
    assert [(fault.expected, fault.found) for fault in faults] == [(expected, found)]
