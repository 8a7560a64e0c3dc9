"""Locks of a state folder, which the kernel lets go of when a process dies, however it dies."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from lockgate.kernel.errors import Conflict, Unavailable
from lockgate.kernel.folders import StateFolder

__all__ = ["alone", "in_use"]


@contextlib.contextmanager
def in_use(state: StateFolder) -> Iterator[None]:
    """Work with an installation, beside others who do.

    Raises:
        Unavailable: it is being moved.
    """
    with _held(state.use, fcntl.LOCK_SH) as got:
        if not got:
            what, way_out = f"The installation in {state.root} is being moved", "Wait until lockgate move has ended."
            raise Unavailable(what, expected="nobody who moves it", found="a lock", way_out=way_out)
        yield


@contextlib.contextmanager
def alone(state: StateFolder) -> Iterator[None]:
    """Have an installation to oneself.

    Raises:
        Conflict: it runs, or a command is working with it.
    """
    with _held(state.lock, fcntl.LOCK_EX) as stands_still, _held(state.use, fcntl.LOCK_EX) as unused:
        if not stands_still or not unused:
            found = "another command that works with it" if stands_still else "lockgate up"
            raise Conflict(
                f"The installation in {state.root} is in use",
                expected="nobody who works with it",
                found=found,
                way_out="Stop it, or wait until it has ended, then try again.",
            )
        yield


@contextlib.contextmanager
def _held(path: Path, kind: int) -> Iterator[bool]:
    """Hold a lock; tells whether it was to be had."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)
