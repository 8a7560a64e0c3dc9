"""What runs look like in a terminal; nothing that a user wrote is acted on."""

import io
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lockgate.cli import runs
from lockgate.cli.charts import spark
from lockgate.cli.showing import safe

METRIC = {"points": 3, "last": "NaN", "step": 2, "least": 0.25, "greatest": 1.0}
CURVE = {"steps": [0, 1, 2], "values": [1.0, 0.25, "NaN"], "seconds": [0.0, 1.0, 2.0]}
HOSTILE = "[red]\x1b[2Jx"


def run(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    return {
        "run": "sha256:" + "a" * 64,
        "model": "parcels",
        "state": "failed",
        "error": "it broke",
        "why": "it broke\nbadly",
        "version": "v3",
        "began_at": "2026-03-01T12:00:00Z",
        "seconds": 75.0,
        "commit": "0" * 40,
        "dirty": True,
        "by": "ada",
        "line": "line-1",
        "parameters": {"rate": 1.0, HOSTILE: [{"a": HOSTILE}]},
        "metrics": {"loss": METRIC},
        "curves": {"loss": CURVE},
        "tags": {"note": HOSTILE},
        "artifacts": {"roc.svg": {"digest": "sha256:" + "b" * 64, "size": 1234}},
        "fitted": "",
        "code": "sha256:" + "c" * 64,
        "training_set": "sha256:" + "d" * 64,
        "snapshots": {"orders": "sha256:" + "e" * 64},
        "training_rows": 900,
        "environment": "sha256:" + "f" * 64,
        "python": "3.11.7",
        "distributions": 1,
        "machine": {"processor": "x86", "cores": 2},
        "cpu_seconds": None,
        "peak_memory": 0,
        "printed": f"{HOSTILE}\n",
        **changed,
    }


def drawn(render: Any, found: dict[str, Any]) -> str:  # noqa: ANN401 - a function of runs
    out = io.StringIO()
    render(safe(found), Console(file=out, width=120))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def test_a_run_is_shown() -> None:
    text = drawn(runs.shown, runs.in_words(run()))

    assert "parcels run aaaaaaaaaaaa failed v3" in text
    assert "it broke\nbadly" in text
    assert "took 1 min 15 s" in text
    assert re.search(r"rate +1\.0\n", text)
    assert "loss   nan     2   0.25         1       3  █▁!" in text
    assert "roc.svg  1,234 bytes" in text
    assert '[{"a": "[red]\\u001b[2Jx"}]' in text
    assert "note  [red]?[2Jx" in text
    assert "printed last\n[red]?[2Jx" in text
    assert "\x1b" not in text


def test_runs_are_listed_with_the_way_to_older_ones() -> None:
    text = drawn(runs.listing, {"runs": [run()], "looked_at": 1, "before": 17})

    assert "aaaaaaaaaaaa  parcels  2026-03-01 12:00:00  1 min 15 s  failed v3  loss nan  note=[red]?[2Jx" in text
    assert "Older ones: --before 17" in text
    assert drawn(runs.listing, {"runs": [], "looked_at": 0, "before": None}).startswith("No run was recorded yet")
    assert drawn(runs.listing, {"runs": [], "looked_at": 9, "before": None}) == "None of 9 runs."


def test_runs_are_shown_beside_each_other() -> None:
    lines = [
        {"kind": "parameter", "name": HOSTILE, "values": [1.0, {"a": HOSTILE}], "differs": True},
        {"kind": "metric", "name": "loss", "values": ["NaN", None], "differs": True},
        {"kind": "code", "name": "commit", "values": ["0" * 40, "1" * 40], "differs": True},
        {"kind": "tag", "name": "note", "values": [HOSTILE, HOSTILE], "differs": False},
    ]
    other = run(run="sha256:" + "1" * 64, version="")
    found = {"runs": [run(), other], "lines": lines, "curves": [{"loss": CURVE}, {}]}
    text = drawn(runs.compared, runs.compared_in_words(found))

    assert "aaaaaaaaaaaa v3  111111111111" in text
    assert '[red]?[2Jx  1.0              {"a": "[red]\\u001b[2Jx"}' in text
    assert "loss        NaN              -" in text
    assert "commit      000000000000     111111111111" in text
    assert "loss  aaaaaaaaaaaa  █▁!" in text
    assert "the same: note [red]?[2Jx" in text


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(values=st.lists(st.floats()), one=FINITE, other=FINITE)
def test_a_curve_has_a_sign_for_each_point(values: list[float], one: float, other: float) -> None:
    low, high = sorted((one, other))
    inside = [min(max(value, low), high) if math.isfinite(value) else value for value in values]

    assert [sign == "!" for sign in spark(inside, low, high)] == [not math.isfinite(value) for value in values]


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (60, "1 min 0 s"), (7_265, "2 h 1 min")]
)
def test_durations_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert f"took {said}" in drawn(runs.shown, runs.in_words(run(seconds=seconds)))
