"""A worker: serves every endpoint of a state folder on a socket it is given. Run by the supervisor.

    python -m lockgate.serving.main --state DIR --worker N --socket-fd F --admin PATH --ingest PATH

It says `ready` on its standard output when it answers. Its standard input is its tether: when that ends, it ends.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop

from lockgate.kernel.errors import NotFound
from lockgate.kernel.folders import StateFolder
from lockgate.serving import tether
from lockgate.serving.admin import Question, serve_admin
from lockgate.serving.app import App
from lockgate.serving.asking import Ingest
from lockgate.serving.clock import now, stopwatch
from lockgate.serving.draining import DrainingProtocol
from lockgate.serving.grants import Grants
from lockgate.serving.installed import machine_of, store_url
from lockgate.serving.metrics import Tally
from lockgate.serving.roster import Roster
from lockgate.serving.routes import Routes
from lockgate.serving.storage import Storage
from lockgate.serving.surroundings import Surroundings

__all__ = ["main"]

_LOOK_SECONDS = 1.0
_ASK_SECONDS = 60.0
_DRAIN_SECONDS = 3
_TETHER_SECONDS = 0.6


class _Worker:
    def __init__(self, arguments: argparse.Namespace, listener: socket.socket) -> None:
        state = StateFolder(arguments.state.resolve())
        self._number, self._admin, self._since = arguments.worker, arguments.admin, now()
        self._around = Surroundings(
            state,
            arguments.worker,
            now,
            stopwatch,
            Tally(),
            Storage(store_url(state), stopwatch),
            machine_of(state),
            Ingest(arguments.ingest),
        )
        self._roster = Roster(self._around)
        self._listener = listener
        routes = Routes(self._around, self._roster)
        app = App(self._around, routes, Grants(state.grants, stopwatch), listener.getsockname()[1])
        self._server = uvicorn.Server(_config(app))

    async def run(self) -> None:
        """Load, answer until asked to stop, drain."""
        await self._roster.look()
        admin = await serve_admin(self._admin, self._answer)
        loop = asyncio.get_running_loop()
        tether.hold(lambda: loop.call_soon_threadsafe(self._stop), _TETHER_SECONDS)
        tasks = [asyncio.create_task(self._keep_looking()), asyncio.create_task(self._keep_asking())]
        # uvicorn raises the signal that stopped it once more when it is done; by then it means nothing.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _ignore)
        _say_ready()
        await self._server.serve(sockets=[self._listener])
        for task in tasks:
            task.cancel()
        admin.close()
        self._roster.close()

    async def _keep_asking(self) -> None:
        while True:
            await asyncio.sleep(_ASK_SECONDS)
            await self._roster.keep_asking()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._roster.look()

    def _stop(self) -> None:
        self._server.should_exit = True

    async def _answer(self, question: Question) -> dict[str, Any]:
        me = {"worker": self._number, "pid": os.getpid()}
        match question.do:
            case "obey":
                return {"acks": [me | msgspec.to_builtins(await self._roster.obey(question.endpoint))], "errors": []}
            case "status":
                return {"workers": [me | {"since": self._since, "endpoints": self._roster.states()}]}
            case "stop":
                self._stop()
                return {"stopping": True}
            case other:
                raise NotFound(f"A worker can't {other}", expected="obey, status or stop", found=other)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a worker."""
    parser = argparse.ArgumentParser(prog="python -m lockgate.serving.main", description="A worker of an endpoint.")
    parser.add_argument("--state", type=Path, required=True, help="the state folder")
    parser.add_argument("--worker", type=int, required=True, help="its number, unique among those that run")
    parser.add_argument("--socket-fd", type=int, required=True, help="the listening socket")
    parser.add_argument("--admin", type=Path, required=True, help="where its admin socket is to be")
    parser.add_argument("--ingest", type=Path, required=True, help="where ingest answers")
    given = parser.parse_args(arguments)
    # A worker has one core. Models that would share a batch of a few rows among threads wait for them far longer than
    # they compute; OpenMP reads this when the model's library is loaded.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    listener = socket.socket(fileno=given.socket_fd)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Worker(given, listener).run())
    return 0


def _config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=DrainingProtocol,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        backlog=2048,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )


def _ignore(*_: object) -> None:
    """Take a signal without doing anything."""


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
