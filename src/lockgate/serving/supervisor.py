"""The supervisor: the light root of `lockgate up`. Holds the sockets, keeps the processes alive, passes plans on.

    python -m lockgate.serving.supervisor --state DIR --predict-port P --control-port C --store URL

- Ingest is started first and stopped last; workers do not wait for it longer than a moment, since they need only the
  store.
- One supervisor has a state folder: it holds a lock on `run/lock` as long as it lives, and no child inherits it.
- `run/up.json` is there from the moment every process answers until the end.
- It answers nothing over HTTP itself and reads no plan: a fault in what it starts can't take it down.
- SIGTERM or SIGINT: it stops listening, asks its processes to finish, and kills by id what has not after 4 s.
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from lockgate.features.store import open_store
from lockgate.kernel.errors import Conflict, Failed, Invalid, LockgateError, NotFound, Unavailable
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.serving import tether
from lockgate.serving.admin import Question, ask, serve_admin
from lockgate.serving.asking import Ingest
from lockgate.serving.children import Child, Death
from lockgate.serving.clock import now
from lockgate.serving.installed import STORE_VARIABLE, store_url
from lockgate.serving.sockets import admin_folder, listen

__all__ = ["main"]

_ACK_SECONDS = 2.0
_STOP_SECONDS = 4.0
_TETHER_SECONDS = 5.0
_AFTER_A_CRASH = 2.0
_INGEST_SECONDS = 5.0


class _Supervisor:
    def __init__(
        self,
        state: StateFolder,
        admin: Path,
        predict: socket.socket,
        control: socket.socket | None,
        *,
        store: str,
        once: bool,
    ) -> None:
        self._state, self._store, self._once, self._since = state, store, once, now()
        self._predict, self._control = predict, control
        self._socket, self._worker_socket = admin / "supervisor.sock", admin / "worker-0.sock"
        self._ingest_socket = admin / "ingest.sock"
        self._ingest = self._child("ingest", self._ingest_command(), None)
        self._workers = {0: self._child("worker 0", self._worker_command(), predict)}
        self._controls = [] if control is None else [self._child("control", self._control_command(control), control)]
        self._stop = asyncio.Event()

    @property
    def _answering(self) -> list[Child]:
        return [*self._controls, *self._workers.values()]

    async def run(self, *, tethered: bool) -> Death | None:
        """Keep everything alive until asked to stop; give the death that ended it, with `once`."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        if tethered:
            tether.hold(lambda: loop.call_soon_threadsafe(self._stop.set), _TETHER_SECONDS)
        admin = await serve_admin(self._socket, self._answer)
        lives = [asyncio.create_task(self._ingest.keep(once=self._once))]
        fed, stopped = asyncio.create_task(self._ingest.ready.wait()), asyncio.create_task(self._stop.wait())
        await asyncio.wait([fed, stopped, *lives], timeout=_INGEST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        fed.cancel()
        lives += [asyncio.create_task(child.keep(once=self._once)) for child in self._answering]
        announcing = asyncio.create_task(self._announce())
        done, _ = await asyncio.wait([*lives, stopped], return_when=asyncio.FIRST_COMPLETED)
        deaths = [task.result() for task in lives if task in done]
        announcing.cancel()
        admin.close()
        await self._end()
        for task in (*lives, stopped):
            task.cancel()
        return deaths[0] if deaths else None

    async def _announce(self) -> None:
        for child in self._answering:
            await child.ready.wait()
        document = {
            "pid": os.getpid(),
            "control": None if self._control is None else _url(self._control),
            "predict": _url(self._predict),
            "socket": str(self._socket),
            "started_at": self._since,
        }
        replace_file(self._state.up, msgspec.json.encode(document), mode=0o600)
        control = "" if self._control is None else f", the control plane at {document['control']}"
        _say(f"ready: endpoints answer at {document['predict']}{control}; Ctrl-C stops everything")

    async def _end(self) -> None:
        """Stop listening first, so that nobody knocks at a door that will not be opened."""
        self._state.up.unlink(missing_ok=True)
        self._predict.close()
        if self._control is not None:
            self._control.close()
        await asyncio.gather(*(child.stop(_STOP_SECONDS) for child in self._answering))
        await self._ingest.stop(_STOP_SECONDS)
        for path in (self._socket, self._worker_socket, self._ingest_socket):
            path.unlink(missing_ok=True)

    async def _answer(self, question: Question) -> dict[str, Any]:
        match question.do:
            case "obey":
                said = await asyncio.gather(*(self._obey(worker, question) for worker in self._workers.values()))
                return {
                    "acks": [ack for acks, _ in said for ack in acks],
                    "errors": [error for _, errors in said for error in errors],
                }
            case "status":
                workers = await asyncio.gather(*(self._status(number, one) for number, one in self._workers.items()))
                control = [_life(child) for child in self._controls]
                ingest = await self._ingest_status()
                about = {"pid": os.getpid(), "since": self._since}
                return {**about, "workers": workers, "control": control, "ingest": ingest}
            case "stop":
                self._stop.set()
                return {"stopping": True}
            case other:
                raise NotFound(f"The supervisor can't {other}", expected="obey, status or stop", found=other)

    async def _obey(self, worker: Child, question: Question) -> tuple[list[Any], list[str]]:
        """Pass a plan on; give what was acknowledged, and what went wrong in words."""
        try:
            answer = await self._ask(question)
        except (OSError, TimeoutError, LockgateError) as error:
            why = str(error) or f"no answer in {_ACK_SECONDS:g} s"
            return [], [f"{worker.name} did not obey yet: {why}. It looks at its plan every second by itself"]
        if "error" in answer:
            return [], [f"{worker.name} did not obey: {answer['error']['detail']}"]
        return answer["acks"], []

    async def _status(self, number: int, worker: Child) -> dict[str, Any]:
        try:
            said = (await self._ask(Question("status")))["workers"][0]
        except (OSError, TimeoutError, LockgateError, KeyError):
            said = {"endpoints": {}}
        return {"worker": number, **_life(worker), "endpoints": said["endpoints"]}

    async def _ingest_status(self) -> dict[str, Any]:
        said = await Ingest(self._ingest_socket).status(_ACK_SECONDS)
        endpoints = {} if said is None else said.get("endpoints", {})
        return {**_life(self._ingest), "endpoints": endpoints}

    async def _ask(self, question: Question) -> dict[str, Any]:
        async with asyncio.timeout(_ACK_SECONDS):
            return await ask(self._worker_socket, question)

    def _child(self, name: str, command: Sequence[str], listener: socket.socket | None) -> Child:
        descriptor = None if listener is None else listener.fileno()
        environment = {STORE_VARIABLE: self._store}
        return Child(name, command, socket_fd=descriptor, now=now, say=_say, environment=environment)

    def _ingest_command(self) -> list[str]:
        return ["-m", "lockgate.serving.ingest", "--state", str(self._state.root), "--admin", str(self._ingest_socket)]

    def _worker_command(self) -> list[str]:
        where = ["--socket-fd", str(self._predict.fileno()), "--admin", str(self._worker_socket)]
        where += ["--ingest", str(self._ingest_socket)]
        return ["-m", "lockgate.serving.main", "--state", str(self._state.root), "--worker", "0", *where]

    def _control_command(self, listener: socket.socket) -> list[str]:
        where = ["--socket-fd", str(listener.fileno()), "--supervisor", str(self._socket)]
        return ["-m", "lockgate.engine.main", "--state", str(self._state.root), *where]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the supervisor; 2 when it could not start, 1 when a process died and `--once` was given."""
    given = _parser().parse_args(arguments)
    try:
        death = _supervise(given)
    except LockgateError as error:
        _say(str(error))
        return 2
    if death is not None:
        _say(str(Failed(f"{death}, and everything was stopped", way_out="What it said stands above.")))
        return 1
    return 0


def _supervise(given: argparse.Namespace) -> Death | None:
    if given.workers != 1:
        raise Invalid(
            "This release runs one worker",
            expected="--workers 1",
            found=f"--workers {given.workers}",
            way_out="Several would each remember idempotency keys and the latest time for themselves.",
        )
    state = StateFolder(given.state.resolve())
    _check_store(given.store or store_url(state))
    run = state.up.parent
    run.mkdir(parents=True, exist_ok=True)
    run.chmod(0o700)
    with _only_one(state.lock), admin_folder(run) as admin, contextlib.ExitStack() as sockets:
        # The processes of one that was killed let go of their port within a second.
        patience = _AFTER_A_CRASH if state.up.exists() else 0.0
        state.up.unlink(missing_ok=True)
        predict = sockets.enter_context(listen(given.host, given.predict_port, "The endpoint", patience))
        control = None
        if not given.no_control:
            control = sockets.enter_context(listen(given.host, given.control_port, "The control plane", patience))
        return asyncio.run(_run(given, state, admin, predict, control))


def _check_store(url: str) -> None:
    """Refuse a store that no waiting mends; one that is down may come.

    Raises:
        Invalid: the URL is none, or what it needs is not installed.
    """
    with contextlib.suppress(Unavailable):
        open_store(url, read_only=True).close()


async def _run(
    given: argparse.Namespace, state: StateFolder, admin: Path, predict: socket.socket, control: socket.socket | None
) -> Death | None:
    store = given.store or store_url(state)
    supervisor = _Supervisor(state, admin, predict, control, store=store, once=given.once)
    return await supervisor.run(tethered=given.tether)


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the lock of a state folder.

    Raises:
        Conflict: another live supervisor holds it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                "This state folder is being served already",
                expected="no other supervisor",
                found=f"process {path.read_text().strip() or 'unknown'}",
                way_out="Stop that one, or use another state folder.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"%d\n" % os.getpid())
        yield
    finally:
        os.close(descriptor)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lockgate.serving.supervisor", description="Serves a state folder.")
    parser.add_argument("--state", type=Path, required=True, help="the state folder")
    parser.add_argument("--predict-port", type=int, required=True, help="where endpoints answer; 0 for any free port")
    parser.add_argument("--control-port", type=int, default=0, help="where the control plane answers")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--workers", type=int, default=1, help="one, in this release")
    parser.add_argument("--store", default="", help="the online store's URL; a file in the state folder by default")
    parser.add_argument("--once", action="store_true", help="stop when a process dies, instead of starting it again")
    parser.add_argument("--tether", action="store_true", help="stop when standard input ends")
    parser.add_argument("--no-control", action="store_true", help="run without the control plane")
    return parser


def _life(child: Child) -> dict[str, Any]:
    return {"pid": child.pid, "since": child.since, "restarts": child.restarts, "ready": child.ready.is_set()}


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    raise SystemExit(main())
