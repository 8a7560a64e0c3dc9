"""Every mistake in a project file is told at once: where it stands, what was expected and found, the way out."""

import ast
from pathlib import Path

import msgspec
import pytest

from lockgate.kernel.errors import Fault, Invalid
from lockgate.project.load import load
from tests.making.projects import PROJECT, TABLES, load_text, traceless, write_project


class Mistake(msgspec.Struct, frozen=True):
    """One mistake: what is written instead of what, and what is said of it. `at` is text on the line it is told at."""

    old: str
    new: str
    at: str
    expected: str
    found: str
    hint: str = ""


SOURCE = "arrivals = project.source("
VANS = "vans = project.table("
EXPECT = "orders.expect("
REQUEST = "@project.request("
OUTCOME = "@project.outcome("
HOUR = "@project.feature\ndef hour"
AGE = "@project.feature(version=2)"
EACH = "@project.feature\ndef each"
MODEL = "@project.model("
FLOOR = 'lg.metric("roc_auc", at_least=0.6)'
BETWEEN = 'lg.between("weight", 0, 1000)'
ORDERS = 'event_time="asked", available_delay=span(0)'
PLAIN = "lockgate.fields(...), a declared feature, columns of a source or a window"

MISTAKES: dict[str, Mistake] = {
    # the project
    "a name with a space": Mistake(
        '"deliveries"', '"De liveries"', "lg.Project", "a name of lower case", "'De liveries'"
    ),
    "a name that is a number": Mistake('"deliveries"', "5", "lg.Project", "a name of lower case letters", "5"),
    "a zone that is misspelt": Mistake(
        "America/New_York", "America/NewYork", "lg.Project", "a time zone", "'America/NewYork'", "'America/New_York'"
    ),
    "a zone that is a number": Mistake('"America/New_York"', "5", "lg.Project", "the name of a time zone", "5"),
    "an owner that is a number": Mistake('owner="tests"', "owner=5", "lg.Project", "the owner as text", "5"),
    "a keyword of the project": Mistake('owner="tests"', 'ownr="tests"', "lg.Project", "a file that loads", "'ownr'"),
    # sources
    "a keyword of a source": Mistake(
        'event_time="asked", available_time',
        'event_tim="asked", available_time',
        SOURCE,
        "source() to be given",
        "event_tim",
        "Did you mean 'event_time'?",
    ),
    "a source without a function": Mistake(
        "project.source(tables.arrivals, ",
        "project.source(",
        SOURCE,
        "source(rows, key",
        "missing a required argument",
    ),
    "a key that is a number": Mistake('tables.vans, key="van"', "tables.vans, key=5", VANS, "key as text", "5"),
    "no clock": Mistake(
        ', available_time="arrived"', "", SOURCE, "available_time or available_delay", "neither", "There is no default"
    ),
    "two clocks": Mistake(
        'available_time="arrived"',
        'available_time="arrived", available_delay=span(0)',
        SOURCE,
        "available_time or available_delay",
        "both",
    ),
    "a delay that is a number": Mistake(
        ORDERS, ORDERS.replace("span(0)", "0"), "orders = ", "available_delay as a timedelta", "0"
    ),
    "a delay that is negative": Mistake(
        ORDERS,
        ORDERS.replace("span(0)", "span(-1)"),
        "orders = ",
        "available_delay as a timedelta, not negative",
        "days=-1",
    ),
    "an age that is a number": Mistake(
        "stale_after=span(hours=3)", "stale_after=3", "traffic = ", "stale_after as a timedelta", "3"
    ),
    "a source that is no function": Mistake(
        "tables.vans, key", '"vans", key', VANS, "a source from a function", "'vans'"
    ),
    "a source that is a lambda": Mistake(
        "tables.vans, key", "lambda: 1, key", VANS, "a source from a function", "<lambda>"
    ),
    "a source twice": Mistake(
        EXPECT,
        "twice = project.table(tables.vans, key='van')\norders.expect(",
        "twice = ",
        "a name for each source",
        "vans, as at project.py:15",
    ),
    "a key that the request does not have": Mistake(
        'tables.vans, key="van"',
        'tables.vans, key="vann"',
        VANS,
        "the key of vans to be a request field",
        "'vann'",
        "Did you mean 'van'?",
    ),
    # rules
    "a rule that is text": Mistake('lg.unique("order_id")', '"unique"', EXPECT, "rules, such as", "'unique'"),
    "a rule without a column": Mistake(
        'lg.unique("order_id")', "lg.unique()", EXPECT, "unique(columns, at_most)", "missing columns"
    ),
    "a share above one": Mistake("at_most=0.5", "at_most=5", EXPECT, "at_most as a share, 0 to 1", "5"),
    "a share that is text": Mistake("at_most=0.5", 'at_most="5"', EXPECT, "at_most as a number", "'5'"),
    "a bound that is text": Mistake(BETWEEN, 'lg.between("weight", "0", 10)', EXPECT, "low as a number", "'0'"),
    "a bound that is no number": Mistake(
        BETWEEN, 'lg.between("weight", 0, float("nan"))', EXPECT, "high as a number", "nan"
    ),
    "bounds the wrong way round": Mistake(
        BETWEEN, 'lg.between("weight", 10, 1)', EXPECT, "least, greatest", "10 and 1"
    ),
    "a warning above the limit": Mistake(
        BETWEEN, 'lg.between("weight", 0, 9, warn=0.5)', EXPECT, "warn no greater than at_most", "0.5 and 0"
    ),
    "a distance that is negative": Mistake(BETWEEN, "lg.row_change(at_most=-1)", EXPECT, "at_most not negative", "-1"),
    "a rule about a stage on a source": Mistake(
        BETWEEN, "lg.row_loss(at_most=0.1)", EXPECT, "row_loss about a stage after the sources", "a source"
    ),
    "a rule about a source on a stage": Mistake(
        EXPECT,
        "project.joined.expect(lg.row_change())\norders.expect(",
        "project.joined",
        "row_change about a source",
        "about the joined rows",
    ),
    "a column that a stage does not have": Mistake(
        EXPECT,
        'project.matrix.expect(lg.missing("weigth"))\norders.expect(',
        "project.matrix",
        "a column of the matrix rows",
        "'weigth'",
        "Did you mean 'weight'?",
    ),
    "quarantine by a rule about several rows": Mistake(
        EXPECT,
        'orders.expect(lg.unique("order_id"), quarantine=True)\norders.expect(',
        "quarantine=True",
        "quarantine with rules about single rows",
        "unique",
    ),
    "quarantine that is text": Mistake(
        EXPECT,
        'orders.expect(lg.missing("van", at_most=1), quarantine="yes")\norders.expect(',
        'quarantine="yes"',
        "quarantine as true or false",
        "'yes'",
    ),
    "a rule that refers to text": Mistake(
        BETWEEN, 'lg.refers_to("depot", "vans")', EXPECT, "refers_to(column, a declared source)", "'vans'"
    ),
    "a function that does not say that it gives a bool": Mistake(
        EXPECT,
        "def heavy(weight: float):\n    return weight > 3\n\n\norders.expect(lg.holds(heavy))\norders.expect(",
        "lg.holds(heavy)",
        "heavy to say that it gives a bool",
        "another answer",
    ),
    "a function that is none": Mistake(BETWEEN, "lg.holds(5)", EXPECT, "holds(a function of columns)", "5"),
    "a type that is none": Mistake(BETWEEN, 'lg.typed("weight", list)', EXPECT, "the type of weight", "list"),
    "no type": Mistake(BETWEEN, 'lg.typed("weight")', EXPECT, "typed(column, type, ...)", "no type"),
    "a profile that is not there": Mistake(
        BETWEEN, 'lg.psi("weight", reference="w.json")', EXPECT, "a profile in", "No such file", "check infer"
    ),
    "a band the wrong way round": Mistake(
        BETWEEN, "lg.row_count(at_least=9, at_most=3)", EXPECT, "row_count from the least to the most", "9 and 3"
    ),
    "one of no values": Mistake(BETWEEN, 'lg.one_of("depot")', EXPECT, "one_of(column, values", "no values"),
    "one of texts and numbers": Mistake(
        BETWEEN, 'lg.one_of("depot", "a", 1)', EXPECT, "one_of(column, values, ...) of one type", "'a', 1"
    ),
    "one of fractions": Mistake(
        BETWEEN, 'lg.one_of("depot", 0.5)', EXPECT, "values as text or a whole number or true", "(0.5,)"
    ),
    "a count that is text": Mistake(BETWEEN, 'lg.row_count(at_least="1")', EXPECT, "at_least as a whole number", "'1'"),
    # the request
    "no request": Mistake(
        PROJECT[PROJECT.index("@project.request") : PROJECT.index("@project.outcome")],
        "",
        "lg.Project",
        "a request",
        "none",
    ),
    "two requests": Mistake(
        "@project.outcome",
        '@project.request(key="order_id", asked_at="asked", history=orders)\nclass Second:\n'
        "    order_id: str\n    asked: datetime\n\n\n@project.outcome",
        '@project.request(key="order_id", asked_at="asked", history=orders)\nclass Second',
        "one request",
        "the first is at project.py:19",
    ),
    "a misspelt field": Mistake(
        'asked_at="asked", history',
        'asked_at="askd", history',
        REQUEST,
        "asked_at to name a field",
        "'askd'",
        "'asked'?",
    ),
    "a key that is no field": Mistake(
        'key="order_id", asked_at',
        'key="orderid", asked_at',
        REQUEST,
        "key to name a field",
        "'orderid'",
        "'order_id'?",
    ),
    "a history that is text": Mistake(
        "history=orders", 'history="orders"', REQUEST, "history to be a declared source", "'orders'"
    ),
    "a history without a clock": Mistake(
        "history=orders", "history=vans", REQUEST, "history to be a source with a clock", "the table vans"
    ),
    "a lateness that is a number": Mistake(
        "history=orders", "history=orders, lateness=7", REQUEST, "lateness as a timedelta", "7"
    ),
    "a lateness that is negative": Mistake(
        "history=orders",
        "history=orders, lateness=span(-7)",
        REQUEST,
        "lateness as a timedelta, not negative",
        "days=-7",
    ),
    "a request that is a function": Mistake(
        "class Order:", "def Order():", REQUEST, "a class of fields", "<function Order"
    ),
    "a type that no field can have": Mistake(
        "parcels: int | None", "parcels: complex", REQUEST, "field parcels to be bool, int", "complex"
    ),
    "a type that nothing defines": Mistake(
        "van: str | None", 'van: "strr | None"', REQUEST, "annotations that can be resolved", "'strr' is not defined"
    ),
    "a time that may be null": Mistake(
        "asked: datetime\n    depot",
        "asked: datetime | None\n    depot",
        REQUEST,
        "asked (asked_at) to be datetime",
        "time",
    ),
    "a key that is a float": Mistake(
        "order_id: str", "order_id: float", REQUEST, "order_id (key) to be str or int", "float"
    ),
    "a keyword of a field": Mistake(
        "between=(0, 1000)", "betwen=(0, 1000)", "betwen", "field() to be given", "betwen", "'between'?"
    ),
    "bounds of a field that are one": Mistake(
        "between=(0, 1000)", "between=(0,)", "between=(0,)", "(a number, a number)", "(0,)"
    ),
    "bounds of a field that are text": Mistake(
        "between=(0, 1000)", "between=('a', 'b')", "between=('a'", "(a number, a number)", "('a', 'b')"
    ),
    "bounds of a field the wrong way round": Mistake(
        "between=(0, 1000)", "between=(5, 1)", REQUEST, "between=(least, greatest) for weight", "(5, 1)"
    ),
    "bounds of a text": Mistake(
        "van: str | None", "van: str | None = lg.field(between=(0, 1))", REQUEST, "between on a number", "(0, 1)"
    ),
    "another word for unseen": Mistake(
        'unseen="refuse"', 'unseen="drop"', 'unseen="drop"', "'refuse' or 'other'", "'drop'"
    ),
    "a field with a value": Mistake(
        "parcels: int | None\n", "parcels: int | None = 5\n", REQUEST, "field parcels = lockgate.field(...)", "5"
    ),
    # the outcome
    "no outcome": Mistake(
        PROJECT[PROJECT.index("@project.outcome") : PROJECT.index("@project.feature\ndef hour")],
        "def late(minutes: float) -> bool:\n    return minutes > 30\n\n\n",
        "lg.Project",
        "an outcome",
        "none",
    ),
    "a keyword of the outcome": Mistake(
        "final_after=", "final_afer=", OUTCOME, "outcome() to be given", "final_afer", "'final_after'?"
    ),
    "a span that is a number": Mistake(
        "final_after=span(hours=12)", "final_after=12", OUTCOME, "final_after as a timedelta", "12"
    ),
    "an outcome of a table": Mistake(
        "outcome(arrivals", "outcome(vans", OUTCOME, "the outcome's source to be one with a clock", "vans"
    ),
    "another word for never": Mistake("hours=12)", "hours=12), never='drop'", OUTCOME, "never as 'exclude'", "'drop'"),
    "an outcome that is an int": Mistake(
        "(minutes: float) -> bool", "(minutes: float) -> int", OUTCOME, "an outcome that is bool or float", "int"
    ),
    "an outcome that reads a global": Mistake(
        "minutes > 30",
        "minutes > LIMIT",
        OUTCOME,
        "its parameters, literals and math only",
        "LIMIT, which nothing defines",
    ),
    # features
    "a parameter that is misspelt": Mistake(
        "def each(weight: float, parcels",
        "def each(weight: float, parcel",
        EACH,
        "parameter parcel to be a request field",
        "parcel",
        "'parcels'?",
    ),
    "a parameter of another type": Mistake(
        "def hour(asked: datetime)", "def hour(asked: int)", HOUR, "asked as in the request, time", "int"
    ),
    "a parameter of another type than the feature gives": Mistake(
        "def rush(hour: int)",
        "def rush(hour: str)",
        "@project.feature\ndef rush",
        "hour as the feature hour gives it, int",
        "text",
    ),
    "a parameter without a type": Mistake(
        "def hour(asked: datetime)", "def hour(asked)", HOUR, "parameter asked to be bool", "None"
    ),
    "a feature without a type": Mistake(
        "def hour(asked: datetime) -> int", "def hour(asked: datetime)", HOUR, "the answer of hour to be bool", "None"
    ),
    "a feature that reads a global": Mistake(
        "return asked.hour", "return asked.hour + tables", HOUR, "literals and math only", "tables, a module"
    ),
    "a feature that reads the clock": Mistake(
        "return asked.hour", "return asked.now().hour", HOUR, "depends on the arguments alone", ".now"
    ),
    "a feature that imports": Mistake(
        "return asked.hour", "import os\n    return asked.hour", HOUR, "expressions and plain statements", "import"
    ),
    "a feature named like a field": Mistake(
        AGE,
        "@project.feature\ndef van(asked: datetime) -> int:\n    return asked.day\n\n\n@project.feature(version=2)",
        "@project.feature\ndef van",
        "a name of its own",
        "van, which is taken",
    ),
    "a version that is text": Mistake("version=2", "version='2'", "version='2'", "version as a whole number", "'2'"),
    "a keyword of a feature": Mistake(
        "version=2", "verson=2", "verson=2", "feature() to be given", "verson", "'version'?"
    ),
    "two columns for one parameter": Mistake(
        'vans["built"]', 'vans["built", "made"]', "def van_age", "one column for built", "2"
    ),
    "a column that is a number": Mistake('vans["built"]', "vans[5]", "def van_age", "names of columns of vans", "5"),
    # the model
    "no model": Mistake(
        PROJECT[PROJECT.index("@project.model") : PROJECT.index("project.gate(")], "", "lg.Project", "a model", "none"
    ),
    "two models": Mistake(
        "project.gate(",
        "@project.model(late, test=lg.last(span(days=1)), features=[hour])\n"
        "def second(training, parameters):\n    return None\n\n\nproject.gate(",
        "@project.model(late, test",
        "one model",
        "the first is at project.py:54",
    ),
    "no test": Mistake(
        "    test=lg.last(span(days=3)),\n",
        "",
        MODEL,
        "model(outcome, features, test",
        "missing a required argument: 'test'",
    ),
    "a test that is a span": Mistake(
        "test=lg.last(span(days=3))", "test=span(days=3)", MODEL, "test=lockgate.last(", "days=3"
    ),
    "a test of nothing": Mistake("lg.last(span(days=3))", "lg.last(span(0))", MODEL, "test=lockgate.last(", "LastSpan"),
    "a test before the end of time": Mistake(
        "lg.last(span(days=3))", "lg.last(span(-3))", MODEL, "test=lockgate.last(", "days=-3"
    ),
    "a test of a number": Mistake(
        "lg.last(span(days=3))", "lg.last(3)", "lg.last(3)", "last() to be given span as a timedelta", "3"
    ),
    "parameters that are a number": Mistake('{"strength": 1.5}', "5", MODEL, "parameters as a mapping", "5"),
    "parameters that are no JSON": Mistake(
        '{"strength": 1.5}', "{'strength': object()}", MODEL, "parameters that are JSON values", "object"
    ),
    "a threshold above one": Mistake(
        "parameters=", "threshold=2, parameters=", MODEL, "a threshold between 0 and 1", "2"
    ),
    "a threshold that is text": Mistake(
        "parameters=", "threshold='x', parameters=", MODEL, "threshold as a number", "'x'"
    ),
    "another outcome": Mistake("    late,\n", "    hour,\n", MODEL, "the declared outcome, late", "hour"),
    "a field that is misspelt": Mistake(
        '"depot", "weight")', '"depott", "weight")', MODEL, "a request field", "'depott'", "'depot'?"
    ),
    "a field that is no number": Mistake(
        '"depot", "weight")', '"asked")', MODEL, "asked as a number or category", "time", "Category"
    ),
    "a feature by its name": Mistake(", hour, rush", ", 'hour', rush", MODEL, PLAIN, "'hour'"),
    "a function that is no feature": Mistake(", hour, rush", ", late, rush", MODEL, PLAIN, "late"),
    "a column twice": Mistake(", hour, rush", ", hour, hour", MODEL, "each column once", "hour 2 times"),
    "no features": Mistake(
        PROJECT[PROJECT.index("features=[") : PROJECT.index("],\n)\ndef fit") + 1],
        "features=[]",
        MODEL,
        "features for the model",
        "none",
    ),
    "features that are a number": Mistake(
        PROJECT[PROJECT.index("features=[") : PROJECT.index("],\n)\ndef fit") + 1],
        "features=5",
        MODEL,
        "features as a list",
        "5",
    ),
    "a feature that gives text": Mistake(
        "def each(weight: float, parcels: int | None) -> float | None",
        "def each(weight: float, parcels: int | None) -> str",
        MODEL,
        "each to give a number or category",
        "text",
    ),
    # gates
    "an unknown metric": Mistake(
        FLOOR, 'lg.metric("rocauc", at_least=0.6)', "rocauc", "a metric for a binary outcome", "'rocauc'", "'roc_auc'?"
    ),
    "a metric of the other task": Mistake(
        FLOOR, 'lg.metric("rmse", at_most=1)', "rmse", "a metric for a binary outcome", "'rmse'"
    ),
    "a floor for a loss": Mistake(
        FLOOR, 'lg.metric("log_loss", at_least=0.6)', 'lg.metric("log', "at_most for log_loss", "at_least"
    ),
    "a ceiling for a gain": Mistake(
        FLOOR, 'lg.metric("roc_auc", at_most=0.6)', "at_most=0.6", "at_least for roc_auc", "at_most"
    ),
    "a metric without a bound": Mistake(
        FLOOR, 'lg.metric("roc_auc")', 'lg.metric("roc_auc")', "at_least for roc_auc", "no bound"
    ),
    "a comparison of nothing": Mistake(
        FLOOR, "lg.no_slower_than_live()", "lg.no_slower_than_live()", "p50 or p95 or p99 or throughput", "no bound"
    ),
    "a share that starts differ by": Mistake(
        FLOOR, "lg.no_slower_than_live(p95=0.05)", "p95=0.05", "p95 from 0.08 to 10", "0.05", "10 %"
    ),
    "a share that is meant in percent": Mistake(
        FLOOR, "lg.cpu(growth=15)", "growth=15", "growth from 0.08 to 10", "15"
    ),
    "growth that starts differ by": Mistake(FLOOR, "lg.memory(growth=5)", "growth=5", "at least 8 megabytes", "5"),
    "no time at all": Mistake(FLOOR, "lg.throughput(at_least=0)", "at_least=0", "at_least above 0", "0"),
    "a bound of a gate that is text": Mistake(
        FLOOR, 'lg.metric("roc_auc", at_least="x")', 'at_least="x"', "at_least as a number", "'x'"
    ),
    "a bound of a gate that is no number": Mistake(
        FLOOR, 'lg.metric("roc_auc", at_least=float("nan"))', 'float("nan")', "at_least as a number", "nan"
    ),
    "a keyword of a gate": Mistake(
        FLOOR, 'lg.metric("roc_auc", atleast=0.6)', "atleast", "metric() to be given", "atleast", "'at_least'?"
    ),
    "a slice that is no field": Mistake(
        'by="depot"', 'by="depott"', 'by="depott"', "by to name a request field", "'depott'", "'depot'?"
    ),
    "a margin that is text": Mistake('"log_loss", by=0.1', '"log_loss", by="x"', 'by="x"', "by as a number", "'x'"),
    "an unknown metric to compare": Mistake(
        'live("log_loss"', 'live("logloss"', "logloss", "a metric for a binary outcome", "'logloss'", "'log_loss'?"
    ),
    "a gate that is text": Mistake(FLOOR, '"roc_auc"', "project.gate(", "gates, such as", "'roc_auc'"),
    # the file
    "a word of ours that is misspelt": Mistake(
        FLOOR, "lg.metrc('roc_auc')", "lg.metrc", "a file that loads", "no attribute 'metrc'"
    ),
    "a method that is misspelt": Mistake(
        "orders.expect(", "orders.expct(", "orders.expct(", "a file that loads", "'expct'"
    ),
    "a name that nothing defines": Mistake(
        "history=orders", "history=ordrs", REQUEST, "a file that loads", "NameError: name 'ordrs'"
    ),
    "a module that is not there": Mistake(
        "import tables", "import tablez", "import tablez", "a file that loads", "No module named 'tablez'"
    ),
    "an error when it is read": Mistake(
        "project.gate(", "1 / 0\nproject.gate(", "1 / 0", "a file that loads", "ZeroDivisionError"
    ),
    "an exit when it is read": Mistake(
        "project.gate(", "raise SystemExit(3)\nproject.gate(", "raise SystemExit", "a file that loads", "SystemExit: 3"
    ),
    "a line that is no Python": Mistake(
        "class Order:", "class Order(:", "class Order(:", "a file that loads", "SyntaxError"
    ),
    "no project": Mistake(PROJECT, '"""Nothing yet."""\n', '"""Nothing', "one lockgate.Project", "0 of them"),
    "two projects": Mistake(
        VANS, 'other = lg.Project("other")\nvans = project.table(', '"""Will', "one lockgate.Project", "2 of them"
    ),
}


def told(folder: Path, text: str, tables: str = TABLES) -> tuple[Fault, ...]:
    with pytest.raises(Invalid) as refused:
        load_text(folder, text, tables)
    return refused.value.faults


def line_of(text: str, marker: str) -> int:
    return text[: text.index(marker)].count("\n") + 1


def test_the_project_without_a_mistake_loads(tmp_path: Path) -> None:
    assert load_text(tmp_path).blueprint.name == "deliveries"


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_told_where_it_stands_with_what_was_expected_and_found(tmp_path: Path, what: str) -> None:
    mistake = MISTAKES[what]
    assert mistake.old in PROJECT
    text = PROJECT.replace(mistake.old, mistake.new, 1)
    found = told(tmp_path, text)
    fault = next((one for one in found if mistake.expected in one.expected), found[0])

    assert fault.at == f"project.py:{line_of(text, mistake.at)}"
    assert mistake.expected in fault.expected
    assert mistake.found in fault.found
    assert mistake.hint in fault.hint
    assert "StandIn" not in str(fault)


# These make other declarations wrong as well, and it is right to say so: the user may have meant either.
TELLS_MORE = {"a type that no field can have", "a parameter that is misspelt"}


@pytest.mark.parametrize("what", sorted(set(MISTAKES) - TELLS_MORE))
def test_one_mistake_is_told_once_and_what_follows_from_it_is_not(tmp_path: Path, what: str) -> None:
    found = told(tmp_path, PROJECT.replace(MISTAKES[what].old, MISTAKES[what].new, 1))

    assert len(found) == 1, "\n".join(map(str, found))


def test_six_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = PROJECT
    for what in (
        "a zone that is misspelt",
        "no clock",
        "a share above one",
        "bounds of a field the wrong way round",
        "a feature that reads the clock",
        "a floor for a loss",
    ):
        text = text.replace(MISTAKES[what].old, MISTAKES[what].new, 1)

    with pytest.raises(Invalid, match="has 6 mistakes; nothing was done") as refused:
        load_text(tmp_path, text)

    lines = sorted(int(fault.at.partition(":")[2]) for fault in refused.value.faults)
    markers = ("lg.Project", SOURCE, EXPECT, REQUEST, HOUR, 'lg.metric("log_loss"')
    assert lines == [line_of(text, marker) for marker in markers]


def test_a_rule_is_held_against_its_form_though_the_outcome_is_wrong(tmp_path: Path) -> None:
    text = PROJECT.replace("final_after=span(hours=12)", "final_after=12").replace("at_most=0.5", "at_most=5")

    assert {fault.found for fault in told(tmp_path, text)} == {"12", "5"}


def test_an_error_when_the_file_is_read_does_not_hide_the_mistakes_before_it(tmp_path: Path) -> None:
    text = PROJECT.replace("between=(0, 1000)", "betwen=(0, 1000)").replace("project.gate(", "1 / 0\nproject.gate(")
    found = told(tmp_path, text)

    assert [fault.found for fault in found] == ["betwen", "ZeroDivisionError: division by zero"]
    assert found[1].hint == "It may follow from the mistakes above."


def test_an_error_in_a_file_beside_it_is_told_where_that_file_is_imported(tmp_path: Path) -> None:
    (fault,) = told(tmp_path, PROJECT, TABLES + "\n1 / 0\n")

    assert fault.at == f"project.py:{line_of(PROJECT, 'import tables')}"
    assert "ZeroDivisionError" in fault.found


def test_a_place_names_the_file_as_the_user_knows_it(tmp_path: Path) -> None:
    folder = tmp_path / "somewhere" / "deep"
    (fault,) = told(folder, PROJECT.replace("minutes > 30", "minutes > LIMIT"))

    assert fault.at == f"project.py:{line_of(PROJECT, OUTCOME)}"


def test_a_missing_file_is_told_with_where_there_is_one(tmp_path: Path) -> None:
    write_project(tmp_path / "deliveries")
    with traceless(), pytest.raises(Invalid) as refused:
        load(tmp_path)

    (fault,) = refused.value.faults
    assert (fault.at, fault.found) == ("project.py", "no such file")
    assert fault.hint == f"There is one in {tmp_path / 'deliveries'}."


def calls() -> list[str]:
    """Every keyword argument that the project file gives to a word of ours, as it stands there."""
    tree = ast.parse(PROJECT)
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    ours = [
        node
        for node in nodes
        if isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"lg", "project", "orders"}
    ]
    return sorted(
        {f"{word.arg}={ast.get_source_segment(PROJECT, word.value)}" for node in ours for word in node.keywords}
    )


@pytest.mark.parametrize(
    "value", ["None", "5", "'x'", "[]", "{}", "object()", "print", "float('nan')", "lg", "-1", "(1, 2, 3)"]
)
@pytest.mark.parametrize("word", calls())
def test_whatever_a_keyword_is_given_the_file_loads_or_its_mistakes_are_told(
    tmp_path: Path, word: str, value: str
) -> None:
    assert word in PROJECT
    text = PROJECT.replace(word, f"{word.partition('=')[0]}={value}", 1)

    assert all(place.startswith("project.py:") for place in places_of_mistakes(tmp_path, text))


def places_of_mistakes(folder: Path, text: str) -> list[str]:
    """Give where a text has its mistakes; none where it loads. Anything but `Invalid` gets through."""
    try:
        load_text(folder, text)
    except Invalid as refused:
        return [fault.at for fault in refused.faults] or ["refused without a fault"]
    return []
