"""An endpoint that runs: a supervisor and its worker as processes of their own, asked over real HTTP.

with Running(state) as up:
    up.post("/v1/predict/flight-delay", {"rows": [flight()]})
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from lockgate.kernel.access import Scope
from lockgate.kernel.folders import StateFolder
from tests.making.package import NAME, flight, make_token

# Of a test, on a machine that is busy with others.
PATIENCE = 60.0


class Running:
    """A supervisor with its worker.

    Args:
        state: what it serves.
        more: further arguments.
    """

    def __init__(self, state: StateFolder, *more: str) -> None:
        self.state = state
        self.token = make_token(state, Scope.ADMIN)
        self.said = state.root / "supervisor.txt"
        self.process = begin(state, "--tether", *more, said=self.said)
        try:
            wait_until(lambda: self._find_up() or self.process.poll() is not None)
            assert self._find_up(), self.said.read_text()
        except BaseException:
            self.stop()
            raise
        self.url: str = self.up["predict"]
        self.port = int(self.url.rpartition(":")[2])
        self.client = self.new_client()

    def _find_up(self) -> bool:
        """Read where it is; a file that one before it left behind does not count."""
        try:
            self.up: dict[str, Any] = json.loads(self.state.up.read_bytes())
        except FileNotFoundError:
            return False
        return bool(self.up["pid"] == self.process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()
        self.stop()

    def stop(self) -> int:
        """Let go of the tether and wait for the end."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def new_client(self) -> httpx.Client:
        """Give a client with the token of an admin."""
        return httpx.Client(base_url=self.url, headers={"authorization": f"Bearer {self.token}"}, timeout=PATIENCE)

    def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        """Send JSON."""
        return self.client.post(path, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def predict(self, *numbers: int, name: str = NAME) -> dict[str, Any]:
        """Ask for predictions that must succeed."""
        answer = self.post(f"/v1/predict/{name}", {"rows": [flight(number) for number in numbers or (0,)]})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ask(self, **question: str) -> dict[str, Any]:
        """Ask the supervisor's admin socket."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(PATIENCE)
            channel.connect(self.up["socket"])
            channel.sendall(json.dumps(question).encode() + b"\n")
            with channel.makefile("rb") as answers:
                found: dict[str, Any] = json.loads(answers.readline())
        return found

    def obey(self, name: str = NAME) -> dict[str, Any]:
        """Push the plan of an endpoint."""
        return self.ask(do="obey", endpoint=name)

    @property
    def worker(self) -> dict[str, Any]:
        """The worker, as the supervisor sees it."""
        found: dict[str, Any] = self.ask(do="status")["workers"][0]
        return found

    def kill_worker(self) -> int:
        """Kill the worker as the system would; give its process id."""
        pid: int = self.worker["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    def replace_worker(self) -> None:
        """Kill the worker and wait for the next one."""
        killed = self.kill_worker()

        def is_replaced() -> bool:
            worker = self.worker
            return bool(worker["ready"]) and worker["pid"] != killed

        wait_until(is_replaced)


class Load:
    """Clients that ask without end, each over a connection of its own, every time something else.

    Args:
        up: whom.
        name: the endpoint.
        clients: how many.
    """

    def __init__(self, up: Running, name: str, clients: int = 8) -> None:
        self._up, self._name = up, name
        self._ended = threading.Event()
        # When it was sent and what came back, or the error instead.
        self.answers: list[tuple[float, httpx.Response]] = []
        self.errors: list[tuple[float, Exception]] = []
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def more(self, count: int) -> None:
        """Wait for so many more answers."""
        wanted = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= wanted)

    def _ask(self, number: int) -> None:
        with self._up.new_client() as client:
            while not self._ended.is_set():
                number += 1000
                sent = time.monotonic()
                try:
                    answer = client.post(f"/v1/predict/{self._name}", json={"rows": [flight(number)]})
                    self.answers.append((sent, answer))
                except httpx.ConnectError:
                    # Nobody listens: nothing was sent.
                    self._ended.wait(0.01)
                except httpx.TransportError as error:
                    self.errors.append((sent, error))

    def ids(self) -> set[str]:
        """Give the ids of all predictions that came back."""
        good = [answer.json() for _, answer in self.answers if answer.status_code == 200]
        return {one["id"] for answer in good for one in answer["predictions"]}


def begin(state: StateFolder, *more: str, said: Path, port: int = 0) -> subprocess.Popen[bytes]:
    """Start a supervisor; what it says goes to a file."""
    command = [sys.executable, "-m", "lockgate.serving.supervisor", "--state", str(state.root), "--no-control"]
    with said.open("wb") as file:
        return subprocess.Popen(
            [*command, "--predict-port", str(port), *more], stdin=subprocess.PIPE, stdout=file, stderr=file
        )


def wait_until(holds: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait for something to hold."""
    until = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < until, "it does not come to hold"
        time.sleep(0.02)


def listens(port: int) -> bool:
    """Tell whether somebody listens."""
    with socket.socket() as knock:
        knock.settimeout(1)
        return knock.connect_ex(("127.0.0.1", port)) == 0
