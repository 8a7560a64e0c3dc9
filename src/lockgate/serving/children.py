"""A process that the supervisor keeps alive.

- It says `ready` as a line of its own on standard output; what it prints beside goes to our standard error.
- Its standard input is its tether (`tether`): we hold the other end and never write.
- When it dies it is started again, after 0.1 s, then twice as long each time up to 5 s; a life of 10 s starts anew.
- To stop it is to ask it (SIGTERM), then to kill it, by its own process id.
"""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from lockgate.kernel.clock import Clock

__all__ = ["Child", "Death"]

_SHORTEST, _LONGEST = 0.1, 5.0
_LONG_LIFE = 10.0
_LONGEST_LINE = 1 << 20


class Death(msgspec.Struct, frozen=True):
    """How a process ended."""

    name: str
    pid: int
    returncode: int

    def __str__(self) -> str:
        """Say it in words."""
        if self.returncode >= 0:
            return f"{self.name} (pid {self.pid}) ended with exit code {self.returncode}"
        with contextlib.suppress(ValueError):
            return f"{self.name} (pid {self.pid}) was ended by {signal.Signals(-self.returncode).name}"
        return f"{self.name} (pid {self.pid}) was ended by signal {-self.returncode}"


class Child:
    """Keeps a process alive.

    Args:
        name: for people: `worker 0`.
        command: what runs, without the interpreter.
        socket_fd: the listening socket it is handed; None for none.
        environment: what its environment has besides ours.
        now: the control clock.
        say: tells the person at the terminal.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        socket_fd: int | None,
        now: Clock,
        say: Callable[[str], None],
        environment: Mapping[str, str] = {},
    ) -> None:
        self.name, self._command, self._socket_fd = name, command, socket_fd
        self._environment = environment
        self._now, self._say = now, say
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = False
        self.ready = asyncio.Event()
        self.since: datetime | None = None
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The process id; None while it is down."""
        return None if self._process is None else self._process.pid

    async def keep(self, *, once: bool) -> Death:
        """Start it, and again whenever it dies; give the death that ends this: the first with `once`, else none."""
        pause = _SHORTEST
        while True:
            began = asyncio.get_running_loop().time()
            death = await self._live()
            if once or self._stopping:
                return death
            pause = _SHORTEST if asyncio.get_running_loop().time() - began > _LONG_LIFE else pause
            self._say(f"{death}; it is started again in {pause:g} s")
            await asyncio.sleep(pause)
            if self._stopping:
                return death
            pause = min(2 * pause, _LONGEST)
            self.restarts += 1

    async def stop(self, patience: float) -> None:
        """Ask it to end; kill it when it has not after `patience` seconds."""
        self._stopping = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            async with asyncio.timeout(patience):
                await process.wait()
        except TimeoutError:
            self._say(f"{self.name} (pid {process.pid}) did not end in {patience:g} s and is killed")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _live(self) -> Death:
        """Live through one life of it."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            pass_fds=() if self._socket_fd is None else (self._socket_fd,),
            env={**os.environ, **self._environment},
            # Ctrl-C is for the supervisor, which then stops everything in order.
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        self._process, self.since = process, self._now()
        try:
            await self._listen(process)
            return Death(self.name, process.pid, await process.wait())
        finally:
            self._process = None
            self.ready.clear()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        """Pass on what it prints, until it ends."""
        if process.stdout is None:
            return
        while chunk := await process.stdout.readline():
            if chunk == b"ready\n":
                self.ready.set()
            else:
                # A terminal that is gone is no reason to let the process go.
                with contextlib.suppress(OSError):
                    os.write(2, chunk)
