"""What the whole way costs: the demo's stations, one prediction explained, features of one row, commands at rest."""

import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.harness import Figure, at_most, main
from lockgate.engine.clock import now
from lockgate.engine.explain import explain
from lockgate.engine.installation import Installation, installation
from lockgate.engine.status import endpoint_status
from lockgate.features.series import ready_key
from lockgate.features.store import open_store
from lockgate.packages.runtime import load_package
from lockgate.predictionlog.reading import predictions
from lockgate.records.release import Release
from lockgate.serving.installed import machine_of, store_url
from lockgate.serving.version import Version

FOLDER = Path("build/bench/line")
ENDPOINT = "flight-delay"
IDS = 1_000
RUNS = 7


def measure() -> list[Figure]:
    """Run the demo, then ask what it left behind."""
    report = FOLDER.with_suffix(".demo.json")
    report.parent.mkdir(parents=True, exist_ok=True)
    command = ["examples/flight_delay/demo.py", "--exit", "--state", str(FOLDER), "--json", str(report)]
    subprocess.run([sys.executable, *command], check=True)
    demo = json.loads(report.read_text())
    with installation(FOLDER, now) as where:
        return [
            *_stations(demo),
            at_most("explain one of 1,000 random ids, p99", _explain(where), "ms", 100),
            at_most("one row: 11 columns, look-ups included, median", _features(where), "µs", 20),
            at_most("import lockgate, median", _command("-c", "import lockgate"), "ms", 150),
            at_most("lockgate --help, median", _command("-m", "lockgate.cli.main", "--help"), "ms", 300),
        ]


def _stations(demo: dict[str, Any]) -> list[Figure]:
    seconds = demo["seconds"]
    answered = demo["answered"]
    replayed = sum(value for name, value in seconds.items() if name.startswith("replay"))
    return [
        at_most("commit to live release, first ship", seconds["ship v1"], "s", 300),
        at_most("the whole demo", seconds["everything"], "s", 300),
        Figure(name="predictions replayed a second, one client", value=answered / replayed, unit="1/s"),
    ]


def _explain(where: Installation) -> float:
    return _p99([_timed(partial(explain, where, prediction)) for prediction in _some(where, IDS)]) * 1e3


def _features(where: Installation) -> float:
    status = endpoint_status(where, ENDPOINT)
    live = next(one for one in status.releases if one.level == "live")
    package = load_package(where.shelf.unpack(live.package), live.package)
    ready = ready_key(machine_of(where.state), ENDPOINT, live.release)
    with closing(open_store(store_url(where.state), read_only=True)) as store:
        version = Version(live.release, where.shelf.get(Release, live.release), package, store, ready)
        return _median_look(version, where)


def _median_look(version: Version, where: Installation) -> float:
    # The latest: what older ones could see is not kept online.
    latest = [one.id for one in predictions(where.state.log / ENDPOINT)][-2_000:]
    rows = [{name: _plain(value) for name, value in _request(where, one).items()} for one in latest]
    questions = version.read(msgspec.json.encode({"rows": rows}), {})
    return statistics.median(_timed(partial(version.look, [question])) for question in questions) * 1e6


def _some(where: Installation, count: int) -> list[str]:
    ids = [one.id for one in predictions(where.state.log / ENDPOINT)]
    return random.Random(7).sample(ids, count)


def _request(where: Installation, prediction: str) -> dict[str, object]:
    return explain(where, prediction).request


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _command(*words: str) -> float:
    return statistics.median(_timed(partial(_run, words)) for _ in range(RUNS)) * 1e3


def _run(words: tuple[str, ...]) -> None:
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[-1]


if __name__ == "__main__":
    main(measure, description=__doc__ or "", packages=("lockgate", "scikit-learn", "polars", "msgspec"))
