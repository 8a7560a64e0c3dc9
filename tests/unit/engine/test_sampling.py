"""Packages are sampled by the endpoint's own code, in turns, each in a process of its own."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest

from lockgate.engine import sampling
from lockgate.engine.performance import sampling_for
from lockgate.engine.performing import perform
from lockgate.engine.sampling import Contender, Sampling, sample
from lockgate.kernel.errors import Failed
from lockgate.kernel.folders import StateFolder
from lockgate.records.verdict import GateSpec
from tests.making.package import NAME, flight, make_package

ROWS = [flight(number) for number in range(8)]
SHORT = Sampling(margins={"p95": 10.0}, least=0.0, most=0.2)


@pytest.fixture(scope="module")
def contender(tmp_path_factory: pytest.TempPathFactory) -> Contender:
    state = StateFolder(tmp_path_factory.mktemp("state"))
    package = make_package(state, NAME, 1)
    return Contender(package=package, folder=state.package(package), rows=ROWS)


def changed(contender: Contender, **changes: Any) -> Contender:  # noqa: ANN401 - any field
    return msgspec.structs.replace(contender, **changes)


def test_two_packages_take_turns_and_each_turn_is_kept_in_pairs(contender: Contender) -> None:
    # A row that one of them refuses is put to neither.
    other = changed(contender, rows=[{**ROWS[0], "origin": "nowhere"}, *ROWS[1:]])
    ours, theirs = sample([contender, other], SHORT)

    assert {len(turns) for side in (ours, theirs) for turns in side["turns"].values()} == {24}
    assert ours["requests"] == theirs["requests"] >= 24 * 20
    assert 0 < ours["p50"] <= ours["p95"] <= ours["p99"] < 1
    assert ours["throughput"] > 100
    assert 0 < ours["cpu"] < 1
    assert 20e6 < ours["memory"] < 2e9
    assert ours["package_size"] == sum(file.stat().st_size for file in contender.folder.rglob("*") if file.is_file())
    assert 0.05 < ours["cold_start"] < 60


def test_what_answers_no_test_row_can_not_be_sampled(contender: Contender) -> None:
    with pytest.raises(Failed, match="none of the test rows"):
        sample([changed(contender, rows=[{**ROWS[0], "origin": "nowhere"}])], SHORT)


def test_a_package_is_verified_before_it_is_sampled(contender: Contender, tmp_path: Path) -> None:
    folder = tmp_path / "package"
    shutil.copytree(contender.folder, folder)
    (folder / "model.bin").write_bytes(b"\0" + (folder / "model.bin").read_bytes()[1:])

    with pytest.raises(Failed, match="can't be sampled"):
        sample([changed(contender, folder=folder)], SHORT)


def test_a_live_package_that_fails_leaves_the_other_one_sampled_alone(contender: Contender, tmp_path: Path) -> None:
    folder = tmp_path / "package"
    shutil.copytree(contender.folder, folder)
    (folder / "model.bin").write_bytes(b"\0")
    rows = pl.DataFrame(ROWS).with_columns(pl.col("scheduled_departure").str.to_datetime(time_zone="UTC"))
    rows.write_parquet(tmp_path / "test.parquet")
    packages = [(contender.package, str(contender.folder)), (contender.package, str(folder))]
    asked = {"packages": packages, "test": str(tmp_path / "test.parquet"), "sampling": msgspec.to_builtins(SHORT)}
    found = perform(tmp_path, tmp_path, asked, None)

    assert [values["requests"] >= 480 for values in found.values] == [True]
    assert "model.bin" in found.alone


def test_it_goes_on_until_the_interval_is_sharp_or_the_time_is_up(
    contender: Contender, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def sharp(turns: list[dict[str, list[float]]], _: Sampling) -> bool:
        looks.append(len(turns[0]["p95"]))
        return len(looks) == 2

    monkeypatch.setattr(sampling, "_sharp", sharp)
    ours, _ = sample([contender, contender], Sampling(margins={"p95": 0.1}, least=0.0, most=60.0))

    assert looks == [24, 36]
    assert len(ours["turns"]["p95"]) == 36


def test_how_long_is_sampled_follows_from_the_gates() -> None:
    slower = GateSpec(kind="no_slower_than_live", parameters={"p95": 0.1, "throughput": 0.2})
    stricter = GateSpec(kind="no_slower_than_live", parameters={"throughput": 0.05})
    memory = GateSpec(kind="memory", parameters={"growth": 1e7})
    starts = GateSpec(kind="cold_start", parameters={"growth": 0.2})

    assert sampling_for([slower, stricter, memory]).margins == {"p95": 0.1, "throughput": 0.05}
    assert sampling_for([slower, stricter]).alpha == pytest.approx(0.01)
    assert sampling_for([memory]).starts == 0
    assert sampling_for([starts]).starts == 8
