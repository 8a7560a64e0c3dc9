"""The demo, whole; and what is left of it when one of its processes is killed at any moment. Takes minutes."""

import json
import os
import random
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def test_the_demo_ends_well_and_what_it_reports_adds_up(tmp_path: Path) -> None:
    _ends_well(tmp_path)


def test_killing_any_process_at_any_moment_leaves_nothing_that_listens(tmp_path: Path) -> None:
    chance = random.Random(2013)
    for _ in range(10):
        demo = _begin(tmp_path, "--exit")
        time.sleep(chance.uniform(1, 75))
        family = [psutil.Process(demo.pid), *psutil.Process(demo.pid).children(recursive=True)]
        ports = _ports(family)
        victim = chance.choice(family)
        what = f"{' '.join(victim.cmdline())[:200]} was killed"
        victim.kill()
        time.sleep(5)
        assert not [port for port in ports if _listens(port)], what
        assert not _ports([one for one in family if one.is_running()]), what
        demo.wait(30)
        assert demo.returncode != 0, what
    _ends_well(tmp_path)


def test_ctrl_c_leaves_nothing_running(tmp_path: Path) -> None:
    demo = _begin(tmp_path, "--exit")
    time.sleep(30)
    family = psutil.Process(demo.pid).children(recursive=True)
    assert family
    psutil.Process(demo.pid).send_signal(2)
    assert demo.wait(15) == 130
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive


def _ends_well(folder: Path) -> None:
    report = folder / "demo.json"
    demo = _begin(folder, "--exit", "--json", str(report))
    assert demo.wait(600) == 0, (folder / "out").read_text()[-3000:]
    found = json.loads(report.read_text())
    assert found["sent"] == found["answered"] == found["logged"] > 10_000
    assert found["outcomes_joined"] >= 0.99 * found["outcomes_posted"] > 9_000
    assert found["parity"]["mismatched"] == 0
    assert found["parity"]["covered"] == found["parity"]["predictions"] == found["sent"]
    assert found["parity"]["verdict"] == "pass"
    assert {one["version"] for one in found["metrics"]} == {"v1", "v2"}
    assert all(one["matured"] >= 0.99 for one in found["metrics"])
    assert {one["verdict"] for one in found["gates"]} == {"pass"}
    explained = found["explained"]
    assert explained["snapshot"] in found["snapshots"]
    commit = ["git", "-C", str(ROOT), "cat-file", "-e", explained["commit"]]
    assert subprocess.run(commit, check=False).returncode == 0
    package = explained["package"].removeprefix("sha256:")
    assert (folder / "state" / "packages" / package / "manifest.json").is_file()
    assert sum(found["seconds"].values()) > 0


def _begin(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        str(ROOT / "examples/flight_delay/demo.py"),
        "--state",
        str(folder / "state"),
        *arguments,
    ]
    with (folder / "out").open("wb") as out:
        return subprocess.Popen(command, stdout=out, stderr=out, cwd=ROOT, env={**os.environ, "COLUMNS": "100"})


def _ports(family: list[psutil.Process]) -> list[int]:
    found = []
    for one in family:
        try:
            connections = one.net_connections()
        except psutil.NoSuchProcess:
            continue
        found += [connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN]
    return found


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
