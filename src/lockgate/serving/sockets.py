"""The sockets of the supervisor: where it listens, and where its admin sockets lie."""

import contextlib
import errno
import ipaddress
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lockgate.kernel.errors import Conflict, Forbidden
from lockgate.serving.admin import LONGEST_PATH
from lockgate.serving.guard import is_loopback

__all__ = ["admin_folder", "listen"]

_BACKLOG = 2048
_RETRY_SECONDS = 0.1
_LONGEST_NAME = len("supervisor.sock")


def listen(host: str, port: int, what: str, patience: float = 0.0) -> socket.socket:
    """Listen on a port of this machine.

    Args:
        host: a loopback name or address.
        port: 0 for any that is free.
        what: who will answer there, for people.
        patience: seconds to wait for a port that is taken.

    Raises:
        Forbidden: the host is not loopback.
        Conflict: the port is taken, also after waiting.
    """
    if not is_loopback(host):
        raise Forbidden(
            f"{what} can't listen on {host}: without TLS, tokens would cross the network for all to read",
            expected="127.0.0.1, ::1 or localhost",
            found=host,
            way_out="Put a proxy that speaks TLS in front of it, on this machine.",
        )
    address = "127.0.0.1" if host.lower() == "localhost" else host.strip("[]")
    until = time.monotonic() + patience
    while (listener := _try(address, port)) is None:
        if time.monotonic() >= until:
            raise Conflict(
                f"{what} can't listen on port {port}: it is taken",
                expected=f"a free port on {address}",
                found=f"another process listening on {address}:{port}",
                way_out="Stop that process, or choose another port.",
            )
        time.sleep(_RETRY_SECONDS)
    return listener


@contextlib.contextmanager
def admin_folder(run: Path) -> Iterator[Path]:
    """Give a folder for admin sockets, of mode 0700; a temporary one where the path would be too long for a socket."""
    if len(str(run)) + 1 + _LONGEST_NAME <= LONGEST_PATH:
        yield run
        return
    folder = Path(tempfile.mkdtemp(prefix="lockgate-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _try(address: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET  # noqa: PLR2004 - IPv6
    listener = socket.socket(family)
    try:
        # Connections that a process before us left behind do not hold the port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            return None
        raise
    return listener
