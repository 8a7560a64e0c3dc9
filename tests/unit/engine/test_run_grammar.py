"""A search is read as it is written, and refused at the column where it can't be."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.engine.runs.grammar import (
    ATTRIBUTES,
    ROOTS,
    All,
    Comparison,
    Either,
    Kind,
    Name,
    Not,
    Search,
    Value,
    parse_search,
    said,
)
from lockgate.kernel.errors import Invalid

NUMBERS = st.integers() | st.floats(allow_nan=False)
VALUES: dict[Kind, st.SearchStrategy[Value]] = {
    Kind.TEXT: st.text(),
    Kind.NUMBER: NUMBERS,
    Kind.TRUTH: st.booleans(),
    Kind.ANYTHING: st.text() | NUMBERS | st.booleans(),
}
NAMES = st.sampled_from(sorted(set(ATTRIBUTES) - {"state"})).map(Name) | st.builds(
    Name, st.sampled_from(sorted(ROOTS)), st.text(min_size=1) | st.text(string.ascii_letters + "._/", min_size=1)
)


@st.composite
def comparisons(draw: st.DrawFn) -> Comparison:
    name = draw(NAMES)
    value = draw(VALUES[name.kind] | st.none())
    operators = ["=", "!="]
    if value is not None and not isinstance(value, bool):
        operators += ["<", "<=", ">", ">="]
    if isinstance(value, str):
        operators.append("~")
    return Comparison(name, draw(st.sampled_from(operators)), value)


STATES = st.sampled_from(["finished", "failed", "killed", None]).map(
    lambda value: Comparison(Name("state"), "!=", value)
)
SEARCHES: st.SearchStrategy[Search] = st.recursive(
    comparisons() | STATES,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(All, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Either, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=6,
)


@given(search=SEARCHES)
def test_what_is_written_is_read_as_the_same_search(search: Search) -> None:
    text = said(search)
    if len(text) <= 2_000:
        assert parse_search(text) == search


@given(text=st.text(max_size=60) | st.text('abmetric.stag()=<>!~"\\ 01-andornot', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        search = parse_search(text)
    except Invalid as error:
        assert "column" in error.what  # noqa: PT017 - either is well
    else:
        assert said(parse_search(said(search))) == said(search)


LOSS, TREES = Name("metric", "loss"), Name("param", "trees")

READ: dict[str, tuple[str, Search]] = {
    "a number": ("metric.loss < 0.3", Comparison(LOSS, "<", 0.3)),
    "without spaces": ("metric.loss<0.3", Comparison(LOSS, "<", 0.3)),
    "a whole number": ("param.trees >= 100", Comparison(TREES, ">=", 100)),
    "a negative number": ("min.loss > -1e-3", Comparison(Name("min", "loss"), ">", -0.001)),
    "infinity": ("metric.loss < inf", Comparison(LOSS, "<", float("inf"))),
    "a quoted text": ('tag.team = "ops"', Comparison(Name("tag", "team"), "=", "ops")),
    "a bare word": ("tag.team = ops", Comparison(Name("tag", "team"), "=", "ops")),
    "digits where a text is wanted": ("commit ~ 0123", Comparison(Name("commit"), "~", "0123")),
    "digits where anything is": ("param.seed = 0123", Comparison(Name("param", "seed"), "=", 123)),
    "a state": ("state = failed", Comparison(Name("state"), "=", "failed")),
    "a truth": ("param.early = true", Comparison(Name("param", "early"), "=", True)),
    "null": ("version != null", Comparison(Name("version"), "!=", None)),
    "the word null": ('tag.a = "null"', Comparison(Name("tag", "a"), "=", "null")),
    "a name with a slash": ("metric.valid/auc > 0", Comparison(Name("metric", "valid/auc"), ">", 0)),
    "a name with a dot": ("param.tree.depth = 3", Comparison(Name("param", "tree.depth"), "=", 3)),
    "a quoted name": ('metric."valid auc" > 0', Comparison(Name("metric", "valid auc"), ">", 0)),
    "not": ("not state = failed", Not(Comparison(Name("state"), "=", "failed"))),
    "and binds tighter than or": (
        "state = failed or param.trees > 1 AND metric.loss < 2",
        Either((Comparison(Name("state"), "=", "failed"), All((Comparison(TREES, ">", 1), Comparison(LOSS, "<", 2))))),
    ),
    "parentheses": (
        "(state = failed or param.trees > 1) and metric.loss < 2",
        All((Either((Comparison(Name("state"), "=", "failed"), Comparison(TREES, ">", 1))), Comparison(LOSS, "<", 2))),
    ),
}


@pytest.mark.parametrize(("text", "search"), READ.values(), ids=READ.keys())
def test_a_search_is_read(text: str, search: Search) -> None:
    assert parse_search(text) == search


REFUSED = {
    "nothing": ("", 1, "a name", "the end", ""),
    "a name alone": ("metric.loss", 12, "one of = != < <= > >= ~", "the end", ""),
    "no value": ("metric.loss <", 14, "a number", "the end", ""),
    "two operators": ("metric.loss << 3", 14, "a number", "<", ""),
    "as in Python": ("metric.loss == 3", 14, "a number", "=", ""),
    "a text for a metric": ("metric.loss < low", 15, "a number", "low", ""),
    "a number for a truth": ("dirty = 1", 9, "true or false", "1", ""),
    "an unknown name": ("stat = failed", 1, "something that runs have", "stat", "Did you mean 'state'?"),
    "an unknown root": (
        "metrics.loss < 1",
        1,
        "something that runs have",
        "metrics.loss",
        "Did you mean 'metric.loss'",
    ),
    "a root without a name": ("metric. < 1", 9, "a name after metric.", "<", ""),
    "an unknown state": ("state = faild", 9, "finished, failed, killed", "faild", "Did you mean 'failed'?"),
    "an order of null": ("tag.a < null", 9, "a value that has an order", "null", "= and !="),
    "a metric that holds a text": ("metric.loss ~ 1", 13, "one of = != < <= > >=", "~", "for texts"),
    "an open quote": ('tag.a = "b', 9, "a name, an operator or a value", '"b', "double quotes"),
    "an open parenthesis": ("(tag.a = b", 11, "a closing parenthesis", "the end", ""),
    "a parenthesis too many": ("tag.a = b)", 10, "and, or, or the end", ")", ""),
    "two searches": ("tag.a = b tag.c = d", 11, "and, or, or the end", "tag.c", ""),
    "an and too many": ("tag.a = b and and tag.c = d", 15, "a name", "and", ""),
    "a word of the language for a value": ("tag.a = or", 9, "a text", "or", ""),
    "a sign": ("tag.a = b; drop", 10, "a name, an operator or a value", "; drop", ""),
    "an escape that is none": (r'tag.a = "\x"', 9, "a text as JSON writes it", r'"\x"', ""),
    "too deep": ("(" * 60 + "tag.a = b" + ")" * 60, 51, "less than 50 searches", "(", ""),
    "too many nots": ("not " * 60 + "tag.a = b", 201, "less than 50 searches", "not", ""),
}


@pytest.mark.parametrize(("text", "column", "expected", "found", "way_out"), REFUSED.values(), ids=REFUSED.keys())
def test_what_can_not_be_read_is_refused_where_it_stands(
    text: str, column: int, expected: str, found: str, way_out: str
) -> None:
    with pytest.raises(Invalid) as refused:
        parse_search(text)

    assert refused.value.what == f"This search can't be read at column {column}"
    assert expected in refused.value.expected
    assert refused.value.found == found
    assert way_out in refused.value.way_out


def test_a_search_that_is_too_long_is_refused() -> None:
    with pytest.raises(Invalid, match="too long"):
        parse_search("tag.a = " + "b" * 2_000)
