"""The whole way on real flights: ship, serve, replay five weeks, ship again, go back, explain, and compare.

Everything is done with the commands and over the HTTP that a user has. Its processes die with it.
"""

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import httpx
from replay import Replay
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

HERE = Path(__file__).parent
ENDPOINT = "flight-delay"
NEW_YORK = ZoneInfo("America/New_York")
FIRST, SECOND, BACK, LAST, DRAINED = (
    datetime(2013, month, day, tzinfo=NEW_YORK) for month, day in ((3, 16), (3, 30), (4, 6), (4, 8), (4, 10))
)
_MARK = ".lockgate-demo"
_ENOUGH = 0.99

console = Console()


class Stopped(Exception):
    """The demo can't go on; its text says why."""


class Demo:
    """One run of the demo.

    Args:
        state: its state folder; emptied first.
    """

    def __init__(self, state: Path) -> None:
        """Choose free ports."""
        self.state = state
        self.port, self.control_port = _free_port(8440), _free_port(8441)
        self.seconds: dict[str, float] = {}
        self._up: subprocess.Popen[bytes] | None = None

    def lockgate(self, *command: str, show: bool = True, may_differ: bool = False) -> str:
        """Run a command as a user would, shown with what it prints; give its output if it is not shown.

        `may_differ` says that exit code 1 is an answer: what was compared differs.
        """
        if show:
            console.print(f"\n[bold cyan]$ lockgate {' '.join(command)}[/]")
        environment = {**os.environ, "LOCKGATE_STATE": str(self.state), "COLUMNS": str(console.width)}
        ran = subprocess.run(
            [sys.executable, "-m", "lockgate.cli.main", *command],
            check=False,
            env=environment,
            stdout=None if show else subprocess.PIPE,
            text=True,
        )
        if ran.returncode and not (may_differ and ran.returncode == 1):
            msg = f"'lockgate {command[0]}' ended with exit code {ran.returncode}{self._how_up_ended()}"
            raise Stopped(msg)
        return ran.stdout or ""

    def ask(self, command: str, *arguments: str) -> Any:  # noqa: ANN401 - JSON
        """Run a command with `--json`."""
        return json.loads(self.lockgate(command, *arguments, "--json", show=False))

    @contextmanager
    def up(self) -> Iterator[None]:
        """Run control plane and endpoint while the block runs."""
        ports = f"--port {self.port} --control-port {self.control_port}"
        console.print(f"\n[bold cyan]$ lockgate up {ports}[/]  [dim](in the background)[/]")
        command = [sys.executable, "-m", "lockgate.cli.main", "up", "--state", str(self.state), "--once", "--tether"]
        command += ["--port", str(self.port), "--control-port", str(self.control_port)]
        with (self.state / "up.log").open("wb") as log:
            self._up = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
        try:
            self._wait_until_up()
            yield
        finally:
            self._stop()

    def _wait_until_up(self) -> None:
        for _ in range(600):
            if self._up is not None and self._up.poll() is not None:
                msg = f"lockgate up did not start{self._how_up_ended()}"
                raise Stopped(msg)
            if (self.state / "run" / "up.json").is_file():
                return
            time.sleep(0.05)
        msg = "lockgate up was not ready within 30 seconds"
        raise Stopped(msg)

    def _stop(self) -> None:
        if self._up is None:
            return
        self._up.terminate()
        try:
            self._up.wait(10)
        except subprocess.TimeoutExpired:
            self._up.kill()
        self._up = None

    def _how_up_ended(self) -> str:
        if self._up is None or self._up.poll() is None:
            return ""
        log = (self.state / "up.log").read_text(errors="replace").strip()
        return f"; lockgate up ended with exit code {self._up.returncode}: {log[-2000:]}"

    def ship(self, as_of: datetime) -> dict[str, Any]:
        """Ship the project as it would have been shipped then; give the release."""
        began = time.monotonic()
        dirty = ["--dirty"] if _changed() else []
        self.lockgate("ship", str(_short(HERE)), "--as-of", as_of.strftime("%Y-%m-%dT%H:%M:%S%z"), *dirty)
        status = self.ask("status", ENDPOINT)
        release: dict[str, Any] = status["releases"][0]
        self.seconds[f"ship {release['version']}"] = time.monotonic() - began
        return release

    def compare(self, as_of: datetime) -> dict[str, Any]:
        """Derive again what was served, from snapshots of what was known by then; give the report."""
        began = time.monotonic()
        dirty = ["--dirty"] if _changed() else []
        moment = as_of.strftime("%Y-%m-%dT%H:%M:%S%z")
        self.lockgate("snapshot", "take", str(_short(HERE)), "--as-of", moment, *dirty)
        self.lockgate("log", "parity", ENDPOINT, may_differ=True)
        report: dict[str, Any] = json.loads(
            self.lockgate("log", "parity", ENDPOINT, "--json", show=False, may_differ=True)
        )
        self.seconds["parity"] = time.monotonic() - began
        return report

    def replay(self, replay: Replay, begin: datetime, end: datetime, what: str, *, ask: bool = True) -> None:
        """Replay a stretch over HTTP, with progress."""
        began = time.monotonic()
        columns = (
            TextColumn("{task.description:<34}"),
            BarColumn(24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=console) as progress:
            task = progress.add_task(f"{what}, {begin:%d %b} to {end:%d %b}", total=1.0, note="")
            try:
                for share in replay.run(begin, end, ask=ask):
                    note = f"[dim]{replay.answered:,} answers, {replay.outcomes_posted:,} outcomes[/]"
                    progress.update(task, completed=share, note=note)
            except (httpx.HTTPError, RuntimeError) as error:
                time.sleep(0.5)
                msg = f"the endpoint did not answer: {type(error).__name__}: {error}{self._how_up_ended()}"
                raise Stopped(msg) from error
        self.seconds[what] = self.seconds.get(what, 0.0) + time.monotonic() - began

    def token(self) -> str:
        """Give the local user's token."""
        return (self.state / "access" / "token").read_text().strip()


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exit", action="store_true", help="stop everything at the end")
    parser.add_argument("--json", type=Path, help="write what was done to a file")
    parser.add_argument("--state", type=Path, default=Path("build/demo"), help="the state folder; emptied first")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    if "MAKELEVEL" in os.environ:
        threading.Thread(target=_end_with_make, args=(os.getppid(),), daemon=True).start()
    try:
        demo = Demo(_empty(options.state))
        with demo.up():
            result = _run(demo)
            if options.json:
                options.json.write_text(json.dumps(result, indent=2) + "\n")
            if not options.exit:
                _stay(demo)
    except KeyboardInterrupt:
        console.print("\n[yellow]Stopped.[/] Nothing is left running; make demo begins anew.")
        raise SystemExit(130) from None
    except Stopped as error:
        console.print(f"\n[bold red]The demo stopped:[/] {error}", soft_wrap=True)
        raise SystemExit(1) from None


def _run(demo: Demo) -> dict[str, Any]:
    began = time.monotonic()
    console.rule("[bold]Will this flight land more than 15 minutes late?[/]")
    console.print("New York, 2013: every departure, the weather, the aircraft. It is the evening of 15 March.")
    demo.lockgate("endpoint", "create", ENDPOINT, "--replay")
    first = demo.ship(FIRST)
    replay = Replay(f"http://127.0.0.1:{demo.port}", demo.token())
    demo.replay(replay, FIRST, SECOND, "replay on v1")
    second = demo.ship(SECOND)
    demo.lockgate("runs", "compare", f"{ENDPOINT}@v1", f"{ENDPOINT}@v2")
    demo.replay(replay, SECOND, BACK, "replay on v2")
    demo.lockgate("rollback", ENDPOINT, "--reason", "a drill: is the way back open?")
    demo.replay(replay, BACK, LAST, "replay on v1 again")
    demo.replay(replay, LAST, DRAINED, "the last flights land", ask=False)
    demo.lockgate("explain", replay.last_prediction)
    demo.lockgate("metrics", ENDPOINT)
    report = demo.compare(DRAINED)
    result = _result(demo, replay, [first, second], report)
    demo.seconds["everything"] = time.monotonic() - began
    _summary(demo, result)
    return result


def _result(demo: Demo, replay: Replay, releases: list[dict[str, Any]], parity: dict[str, Any]) -> dict[str, Any]:
    metrics = demo.ask("metrics", ENDPOINT)
    told = demo.ask("explain", replay.last_prediction)
    snapshots = {one["source"]: one for one in told["snapshots"]}
    return {
        "rows": {source: one["rows"] for source, one in snapshots.items()},
        "snapshots": sorted({digest for release in releases for digest in release["snapshots"].values()}),
        "gates": [
            {"version": release["version"], "name": gate["gate"], "verdict": gate["verdict"]}
            for release in releases
            for gate in release["gates"]
        ],
        "sent": replay.sent,
        "answered": replay.answered,
        "logged": metrics["predictions"],
        "outcomes_posted": replay.outcomes_posted,
        "outcomes_joined": metrics["outcomes_joined"],
        "metrics": [
            {
                "version": f"v{day['version']}",
                "day": day["day"],
                "metric": day["metric"],
                "value": day["value"],
                "n": day["n"],
                "matured": day["matured"],
            }
            for day in metrics["days"]
            if day["matured"] >= _ENOUGH
        ],
        "explained": {
            "prediction": told["prediction"],
            "package": told["package"],
            "release": told["release"],
            "snapshot": snapshots["schedule"]["snapshot"],
            "commit": told["commit"],
        },
        "parity": {
            "verdict": parity["verdict"],
            "predictions": parity["predictions"],
            "covered": parity["covered"],
            "compared": sum(line["compared"] for line in parity["lines"]),
            "mismatched": parity["mismatched"],
        },
        "seconds": demo.seconds,
    }


def _summary(demo: Demo, result: dict[str, Any]) -> None:
    console.print()
    console.rule("[bold]What happened[/]")
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row(
        "questions", f"{result['sent']:,} sent, {result['answered']:,} answered, {result['logged']:,} in the log"
    )
    table.add_row(
        "outcomes", f"{result['outcomes_posted']:,} posted, {result['outcomes_joined']:,} joined to their prediction"
    )
    verdicts = [gate["verdict"] for gate in result["gates"]]
    table.add_row("gates", f"{len(verdicts)} judged, {verdicts.count('pass')} passed, {verdicts.count('warn')} warn")
    parity = result["parity"]
    table.add_row(
        "parity",
        f"{parity['compared']:,} values served were derived again offline, {parity['mismatched']:,} differ;"
        f" {parity['covered']:,} of {parity['predictions']:,} predictions covered",
    )
    table.add_row("commit", result["explained"]["commit"])
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in demo.seconds.items())
    table.add_row("took", took)
    console.print(table)
    console.print("\nTo look further:")
    for command in (
        "status",
        f"status {ENDPOINT}",
        f"metrics {ENDPOINT} --metric brier",
        f"explain {result['explained']['prediction']}",
    ):
        console.print(f"  [cyan].venv/bin/lockgate {command} --state {_short(demo.state)}[/]", soft_wrap=True)


def _stay(demo: Demo) -> NoReturn:
    console.print(f"\nThe endpoint answers at http://127.0.0.1:{demo.port}. [bold]Ctrl-C[/] stops everything.")
    while True:
        time.sleep(0.5)
        if ended := demo._how_up_ended():  # noqa: SLF001 - this module's own
            raise Stopped(ended.removeprefix("; "))


def _empty(state: Path) -> Path:
    """Give an empty state folder; only one that a demo made is emptied."""
    state = state.resolve()
    if state.exists() and any(state.iterdir()):
        if not (state / _MARK).is_file():
            msg = f"{state} is not empty, and no demo made it; name another folder with --state"
            raise Stopped(msg)
        shutil.rmtree(state)
    state.mkdir(parents=True, exist_ok=True)
    (state / _MARK).touch()
    return state


def _free_port(wanted: int) -> int:
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found: int = probe.getsockname()[1]
            return found
    msg = "no port is free"
    raise Stopped(msg)


def _changed() -> bool:
    ran = subprocess.run(
        ["git", "-C", str(HERE), "status", "--porcelain", "--", "."],  # noqa: S607 - git is found on the PATH on purpose
        check=False,
        capture_output=True,
        text=True,
    )
    return bool(ran.stdout.strip())


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _end_with_make(parent: int) -> None:
    """Stop when the `make` that started this is killed: it can't tell."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGTERM)


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
