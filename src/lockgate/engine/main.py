"""The root of the control process: API and runner, on a socket that the supervisor bound."""

import argparse
import os
import socket
import sys
import threading
from pathlib import Path

import uvicorn

from lockgate.engine.api.app import make_app
from lockgate.engine.clock import now
from lockgate.engine.delivery import endpoint_names, install_current
from lockgate.engine.following import Follower
from lockgate.engine.installation import Installation, installation
from lockgate.engine.runner import Runner

__all__ = ["main"]


def main() -> None:
    """Serve the API until standard input closes or a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--socket-fd", type=int, required=True)
    parser.add_argument("--supervisor", default="")
    options = parser.parse_args()
    with installation(options.state, now) as where:
        restore(where)
        runner = Runner(where, attended=False)
        follower = Follower(where)
        for one in (runner, follower):
            threading.Thread(target=one.keep_going, name=type(one).__name__, daemon=True).start()
        listening = socket.socket(fileno=options.socket_fd)
        app = make_app(where, runner, port=listening.getsockname()[1])
        config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
        server = _Server(config)
        threading.Thread(target=_end_with_parent, args=(server,), daemon=True).start()
        server.run(sockets=[listening])
        runner.stop()
        follower.stop()


class _Server(uvicorn.Server):
    """Says `ready` once it answers, as the supervisor expects of its children."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write("ready\n")
        sys.stdout.flush()


def restore(where: Installation) -> None:
    """Write again what every endpoint's workers read: the ledger is right, a folder may have been lost."""
    for name in endpoint_names(where):
        install_current(where, name)


def _end_with_parent(server: uvicorn.Server) -> None:
    while os.read(0, 1024):
        continue
    server.should_exit = True
    threading.Event().wait(2)
    os._exit(1)


if __name__ == "__main__":
    main()
