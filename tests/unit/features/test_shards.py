"""Features over several processes are those of one, bit for bit; a process that dies is told, and nobody hangs."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from lockgate.engine.machine import processes
from lockgate.features.matrix import run_rows
from lockgate.features.shards import run_sharded
from lockgate.kernel.errors import Failed, Invalid
from lockgate.snapshots.take import fingerprint
from tests.making.features import echoing

SLOW = "def twice(number):\n    return sum([n for n in [number] * 3000]) / 1500"


def children() -> list[psutil.Process]:
    found = psutil.Process().children(recursive=True)
    return [one for one in found if "lockgate.features.shard" in one.cmdline()]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_result_is_that_of_one_process_bit_for_bit(count: int) -> None:
    request, features, rows = echoing(1_001)
    alone = run_rows(rows, request, features)

    found = run_sharded(rows, request, features, processes=count, enough=10)

    assert fingerprint(found) == fingerprint(alone)
    assert found.equals(alone, null_equal=True)
    assert found["twice"].to_numpy().tobytes() == alone["twice"].to_numpy().tobytes()


def test_few_rows_are_not_worth_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object, **__: object) -> None:
        pytest.fail("a process was started")

    monkeypatch.setattr(subprocess, "Popen", start)
    request, features, rows = echoing(2_000)

    assert run_sharded(rows, request, features, processes=2).height == 2_000


def test_progress_goes_up_to_the_end() -> None:
    request, features, rows = echoing(40_000)
    told: list[float] = []

    run_sharded(rows, request, features, told.append, processes=2, enough=10)

    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


def test_a_process_that_fails_is_told_with_what_it_said() -> None:
    request, features, rows = echoing(100, "def twice(number):\n    import os")

    with pytest.raises(Failed) as failed:
        run_sharded(rows, request, features, processes=2, enough=10)

    assert "exit code 1" in failed.value.found
    assert "import" in failed.value.found
    assert not children()


@pytest.mark.parametrize("which", [0, 1])
def test_a_killed_process_ends_the_others_and_is_told(which: int) -> None:
    request, features, rows = echoing(60_000, SLOW)

    def kill() -> None:
        while len(running := children()) < 2:
            time.sleep(0.01)
        sorted(running, key=lambda one: one.cmdline()[-1])[which].send_signal(signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    began = time.monotonic()
    with pytest.raises(Failed) as failed:
        run_sharded(rows, request, features, processes=2, enough=10)
    killer.join()

    assert "signal 9" in failed.value.found
    assert failed.value.way_out
    assert time.monotonic() - began < 5
    assert not children()


def test_the_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    script = (
        "from lockgate.features.shards import run_sharded\n"
        "from tests.making.features import echoing\n"
        f"request, features, rows = echoing(60_000, {SLOW!r})\n"
        "run_sharded(rows, request, features, processes=2, enough=10)\n"
    )
    env = {**os.environ, "PYTHONPATH": ".", "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", script], env=env) as parent:
        while len(started := psutil.Process(parent.pid).children()) < 2:
            time.sleep(0.01)
        parent.kill()

    _, alive = psutil.wait_procs(started, timeout=5)
    assert not alive


def test_the_number_of_processes_is_the_machines_or_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOCKGATE_PROCESSES", raising=False)
    assert processes() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("LOCKGATE_PROCESSES", "3")
    assert processes() == 3
    for wrong in ("0", "-1", "two", "1.5"):
        monkeypatch.setenv("LOCKGATE_PROCESSES", wrong)
        with pytest.raises(Invalid):
            processes()
