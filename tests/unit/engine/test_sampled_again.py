"""What a busy machine could not tell about a package is no fact about it: it is sampled again. What it told is kept."""

from pathlib import Path

import pytest

from lockgate.engine import judging
from lockgate.engine.judged import Judged
from lockgate.engine.reconcile import advance, open_import, watch
from lockgate.records.package import Evidence
from tests.unit.engine.making import Clock, asked, opened, write_rules

GATES = """
from datetime import timedelta

import lockgate as lg

gates = [lg.latency(p99=timedelta(seconds=1)), lg.memory(at_most=1_000)]
"""


def test_a_gate_that_a_busy_machine_left_shut_is_asked_again_and_one_that_opened_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = iter([1_999, 2_000])
    sampled: list[int] = []

    def performance(judged: Judged) -> list[Evidence]:
        sampled.append(next(requests))
        values = {"requests": sampled[-1], "p99": 0.5, "memory": 1e8, "turns": {}, "beside": None}
        return [judged.evidence(judged.package, "performance", values)]

    monkeypatch.setitem(judging.MEASURERS, "performance", performance)
    write_rules(tmp_path)
    (tmp_path / "gates.py").write_text(GATES)
    ends = []
    with opened(tmp_path, Clock()) as where:
        for rollout in (True, True, False):
            line = open_import(
                where, asked(tmp_path, gates=str(tmp_path / "gates.py")), rollout=rollout, attended=True, by="bob"
            )
            assert advance(where, line)
            end = watch(where, line.id, 0).end
            assert end is not None
            ends.append(end)

    assert [end.result for end in ends] == ["stopped", "released", "released"]
    assert "p99" in ends[0].reason
    assert sampled == [1_999, 2_000]
