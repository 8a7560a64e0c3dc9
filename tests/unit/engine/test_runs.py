"""Runs are listed, searched, shown and compared; what a run does not have is null, and nothing is read twice."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from lockgate.engine.installation import Installation
from lockgate.engine.runs.comparing import Compared, compare_runs
from lockgate.engine.runs.grammar import parse_search
from lockgate.engine.runs.looking import artifact_of, curves_of, find_run, list_runs, show_run
from lockgate.engine.runs.matching import matches, parameter
from lockgate.kernel.canonical import canonical, sha256
from lockgate.kernel.errors import Conflict, Invalid, NotFound
from lockgate.records.training import Environment, MetricSummary, RunState
from tests.making.runs import AT, HERE, RUN, keep_release, keep_run, run_room

MANY = 10_000


@pytest.fixture
def where(tmp_path: Path) -> Iterator[Installation]:
    with run_room(tmp_path) as found:
        yield found


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with run_room(tmp_path_factory.mktemp("many")) as found:
        for number in range(MANY):
            keep_run(found, number, parameters={"number": number}, project=f"model-{number % 10}")
        yield found


def numbers(found: list[Any]) -> list[int]:
    return [one.parameters["number"] for one in found]


def test_a_page_of_many_runs_looks_at_no_more_than_it_shows(many: Installation) -> None:
    page = list_runs(many, limit=20)

    assert numbers(page.runs) == list(range(MANY - 1, MANY - 21, -1))
    assert page.looked_at == 20


def test_pages_of_many_runs_show_each_run_once(many: Installation) -> None:
    seen: list[int] = []
    looked_at, before, more = 0, None, True
    while more:
        page = list_runs(many, search="param.number < 5000", before=before, limit=500)
        seen += numbers(page.runs)
        looked_at, before, more = looked_at + page.looked_at, page.before, page.before is not None

    assert seen == list(range(4_999, -1, -1))
    assert looked_at == MANY


def test_the_runs_of_one_model_are_looked_at_alone(many: Installation) -> None:
    page = list_runs(many, model="model-3", limit=500, search="param.number < 1000")

    assert numbers(page.runs) == list(range(993, 0, -10))
    assert page.looked_at == MANY / 10
    assert page.before is None


def test_a_search_that_can_not_be_read_is_refused_before_anything_is_looked_at(many: Installation) -> None:
    with pytest.raises(Invalid, match="column 14"):
        list_runs(many, search="metric.loss <")


FOUND = {
    "metric.loss = 0.25": True,
    "metric.loss < 0.25": False,
    "min.loss <= 0.125 and max.loss = 0.5": True,
    "metric.bad = nan": True,
    "metric.bad < 1": False,
    "metric.bad > 1": False,
    "metric.bad != nan": False,
    "min.bad = null": True,
    "metric.none < 1": False,
    "not metric.none < 1": True,
    "metric.none = null": True,
    "metric.none != 1": False,
    "metric.loss != null": True,
    "param.trees = 12": True,
    "param.trees = 12.0": True,
    'param.trees = "12"': False,
    'param.trees != "12"': True,
    "param.rate = 1": True,
    "param.rate = true": False,
    "param.early = true": True,
    "param.early = 1": False,
    "param.early < 2": False,
    "param.bins = null": True,
    "param.kind ~ boost": True,
    "param.kind < z": True,
    "param.kind < 5": False,
    "param.tree.depth >= 3": True,
    "param.tree.width = null": True,
    'param.layers = "[64,32]"': True,
    "tag.team = tests": True,
    "tag.team ~ est": True,
    "tag.other = null": True,
    "state = failed": True,
    "state != finished": True,
    "error ~ rows": True,
    "model = parcels and by = ada and walk = line-1": True,
    "commit ~ 0123456": True,
    "dirty = false": True,
    "version = v3": True,
    "version = null": False,
    "began >= 2026-03-01 and began < 2026-03-02": True,
    'began = "2026-03-01T12:00:00Z"': True,
    "seconds > 1 and memory = 1e6": True,
    "cpu_seconds = null": True,
    "fitted ~ Dummy or state = finished": True,
}


@pytest.mark.parametrize(("search", "holds"), FOUND.items(), ids=FOUND.keys())
def test_a_search_holds_or_not(search: str, holds: bool) -> None:
    run = replace(
        RUN,
        parameters={
            "trees": 12,
            "rate": 1,
            "early": True,
            "bins": None,
            "kind": "boosted",
            "tree": {"depth": 3},
            "layers": [64, 32],
        },
        whole_floats=("/rate",),
        metrics={
            "loss": MetricSummary(points=3, last=0.25, step=2, least=0.125, greatest=0.5),
            "bad": MetricSummary(points=1, last="NaN", step=0, least=None, greatest=None),
        },
        tags={"team": "tests"},
        state=RunState.FAILED,
        error="no rows",
    )

    assert matches(parse_search(search), run, "v3") is holds


def test_a_parameter_is_found_by_its_own_name_before_a_dot_leads_anywhere() -> None:
    assert parameter({"a.b": 1, "a": {"b": 2}}, "a.b") == 1
    assert parameter({"a": {"b.c": 3}}, "a.b.c") == 3
    assert parameter({"a": 1}, "a.b") is None


def test_a_list_says_which_run_was_released(where: Installation) -> None:
    first, second = keep_run(where, 1), keep_run(where, 2)
    keep_release(where, first, 7)

    assert [(one.run, one.version) for one in list_runs(where).runs] == [(second, ""), (first, "v7")]


def test_a_run_is_found_by_how_its_id_begins(where: Installation) -> None:
    digest = keep_run(where)

    assert find_run(where, digest)[0] == digest
    assert find_run(where, digest[:20])[0] == digest
    assert find_run(where, digest[7:15])[0] == digest
    for wanted in ("", "ffff", digest[7:9], "other", "other@v3"):
        with pytest.raises(NotFound, match=f"There is no run {wanted}"):
            find_run(where, wanted)


def test_a_beginning_of_several_ids_is_refused_with_all_of_them(
    where: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lockgate.engine.runs.looking._SHORTEST", 0)
    digests = {keep_run(where, 1), keep_run(where, 2)}
    with pytest.raises(Conflict) as refused:
        find_run(where, "sha256:")

    assert refused.value.found == ", ".join(sorted(digests))


def test_a_run_is_shown_with_what_it_rests_on(where: Installation) -> None:
    output = where.shelf.blobs.put(b"x" * 3_000 + b"the end\xff")
    digest = keep_run(where, error="first\nsecond", state=RunState.FAILED, output=output, parameters={"rate": 1.0})
    found = show_run(where, digest)

    assert (found.error, found.why) == ("first", "first\nsecond")
    assert (found.training_rows, found.snapshots) == (900, {"orders": sha256(b"")})
    assert (found.python, found.distributions) == ("3.11.7", 1)
    assert len(found.printed) == 2_000
    assert found.printed.endswith("the end\N{REPLACEMENT CHARACTER}")
    assert repr(found.parameters) == "{'rate': 1.0}"


def test_curves_are_given_whole_or_thinned_with_both_ends(where: Installation) -> None:
    digest = keep_run(where, metrics={"loss": [float(value) for value in range(1_000)], "auc": [0.5]})

    assert len(curves_of(where, digest)["loss"].values) == 1_000
    thinned = curves_of(where, digest, 40)
    assert len(thinned["loss"].values) == 40
    assert (thinned["loss"].steps[0], thinned["loss"].steps[-1]) == (0, 999)
    assert list(thinned["loss"].steps) == [int(value) for value in thinned["loss"].values]
    assert thinned["auc"].values == (0.5,)
    assert curves_of(where, keep_run(where, 1)) == {}


def test_an_artifact_is_given_by_its_name_and_nothing_else_is(where: Installation) -> None:
    digest = keep_run(where, files={"plots/roc.svg": b"<svg/>"})

    assert artifact_of(where, digest, "plots/roc.svg") == b"<svg/>"
    for name in ("plots/roc.sv", "../plots/roc.svg", "plots", "/etc/passwd", RUN.output):
        with pytest.raises(NotFound, match=r"There is plots/roc\.svg|Did you mean 'plots/roc\.svg'"):
            artifact_of(where, digest, name)


def lines(found: Compared, *, differs: bool) -> dict[str, list[Any]]:
    return {line.name: line.values for line in found.lines if line.differs is differs}


def test_what_differs_between_runs_comes_first(where: Installation) -> None:
    other = Environment(python="3.11.7", packages={"numpy": "2.4.0", "polars": "1.0.0"})
    there = where.shelf.keep(other, subject="parcels", by="ada", at=AT)
    one = keep_run(where, parameters={"trees": 12, "rate": 1.0, "seed": 0}, metrics={"loss": [0.5, 0.25]})
    two = keep_run(
        where,
        parameters={"trees": 14, "rate": 1, "seed": 0, "bins": None},
        metrics={"loss": [0.5]},
        tags={"team": "ops"},
        environment=there,
    )
    found = compare_runs(where, [one, two])
    differs, same = lines(found, differs=True), lines(found, differs=False)

    assert [line.differs for line in found.lines] == sorted((line.differs for line in found.lines), reverse=True)
    assert differs == {
        "trees": [12, 14],
        "rate": [1.0, 1],
        "bins": [None, None],
        "loss": [0.25, 0.5],
        "loss (least)": [0.25, None],
        "loss (greatest)": [0.5, None],
        "team": [None, "ops"],
        "numpy": ["2.3.0", "2.4.0"],
        "polars": [None, "1.0.0"],
    }
    assert {"seed", "training rows", "snapshot of orders", "code", "python", "seconds"} <= same.keys()


def test_a_run_does_not_differ_from_itself(where: Installation) -> None:
    digest = keep_run(where, parameters={"a": [1.0]}, metrics={"loss": [1.0, 2.0]})

    assert lines(compare_runs(where, [digest, digest, digest]), differs=True) == {}


@pytest.mark.parametrize("count", [0, 1, 21])
def test_one_run_or_very_many_are_not_compared(where: Installation, count: int) -> None:
    with pytest.raises(Invalid, match=f"expected 2 to 20 runs, found {count}"):
        compare_runs(where, [keep_run(where)] * count)


def test_the_record_of_a_run_is_what_its_digest_says(where: Installation) -> None:
    digest = keep_run(where, parameters={"rate": 1.0})

    assert sha256(canonical(find_run(where, digest)[1])) == digest
    assert find_run(where, digest)[1].environment == sha256(canonical(HERE))
