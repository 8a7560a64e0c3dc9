"""The ingest process: puts what is posted to the endpoints of a state folder into the online store. One a machine.

    python -m lockgate.serving.ingest --state DIR --admin PATH

- It follows the events in the log of every endpoint that has a plan, and goes on where the store is.
- It prepares the series of every release that a plan names, and marks the release ready.
- It is the only one of its state folder: it holds a lock on `store/lock`.
- A worker needs it only to hear of new rows and releases: what is in the store is served when it is down.

It says `ready` on its standard output when it answers. Its standard input is its tether: when that ends, it ends.
"""

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from lockgate.features.store import OnlineStore, open_store
from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import Conflict, LockgateError, NotFound, Unavailable
from lockgate.kernel.folders import StateFolder
from lockgate.kernel.names import is_name
from lockgate.serving import tether
from lockgate.serving.admin import Question, serve_admin
from lockgate.serving.clock import now, stopwatch
from lockgate.serving.feed import Feed, Need, gather
from lockgate.serving.installed import machine_of, store_url
from lockgate.serving.moments import micros

__all__ = ["main"]

T = TypeVar("T")

_POLL_SECONDS = 0.25
_LOOK_SECONDS = 1.0
_SWEEP_SECONDS = 600.0
_WAIT_SECONDS = 30.0
_LOCK_SECONDS = 5.0
_TETHER_SECONDS = 0.6


class _Ingest:
    def __init__(self, state: StateFolder, store: OnlineStore, admin: Path) -> None:
        self._state, self._store, self._admin = state, store, admin
        self._machine, self._since = machine_of(state), now()
        self._feeds: dict[str, Feed] = {}
        self._troubles: dict[str, str] = {}
        # Releases that are being prepared.
        self._preparing: dict[tuple[str, Digest], asyncio.Task[None]] = {}
        # The store, and what is known of it, are for one thread; gathering has another.
        self._writing, self._gathering = ThreadPoolExecutor(1, "store"), ThreadPoolExecutor(1, "gather")
        self._stop, self._wake = asyncio.Event(), asyncio.Event()
        # Set anew after each round, for those who wait for rows or releases.
        self._round = asyncio.Event()

    async def run(self) -> None:
        """Feed the store until asked to stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        tether.hold(lambda: loop.call_soon_threadsafe(self._stop.set), _TETHER_SECONDS)
        await self._look()
        admin = await serve_admin(self._admin, self._answer)
        following = [
            asyncio.create_task(one()) for one in (self._keep_feeding, self._keep_looking, self._keep_sweeping)
        ]
        _say_ready()
        following.append(asyncio.create_task(self._until_stopped()))
        done, _ = await asyncio.wait(following, return_when=asyncio.FIRST_COMPLETED)
        for task in (*following, *self._preparing.values()):
            task.cancel()
        await asyncio.gather(*following, *self._preparing.values(), return_exceptions=True)
        admin.close()
        self._writing.shutdown()
        for task in done:
            # What ended by itself failed, and says so.
            task.result()

    async def _until_stopped(self) -> None:
        await self._stop.wait()

    async def _keep_feeding(self) -> None:
        while True:
            for name, feed in list(self._feeds.items()):
                with self._noting(name):
                    while await self._write(feed.apply):
                        continue
            done, self._round = self._round, asyncio.Event()
            done.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), _POLL_SECONDS)
            self._wake.clear()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._look()

    async def _keep_sweeping(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            for name, feed in list(self._feeds.items()):
                if not any(endpoint == name for endpoint, _ in self._preparing):
                    with self._noting(name):
                        await self._step(feed.sweep())

    async def _look(self) -> None:
        """Follow every endpoint that has a plan, and obey its plan."""
        for path in sorted(self._state.endpoints.glob("*/plan.json")):
            if is_name(path.parent.name):
                with self._noting(path.parent.name):
                    await self._look_at(path.parent.name)

    async def _look_at(self, name: str, *asked: Digest) -> None:
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = await self._write(lambda: Feed(self._state, name, self._store, self._machine))
        for need in await self._write(lambda: feed.look(stopwatch(), *asked)):
            if (name, need.release) not in self._preparing:
                task = asyncio.create_task(self._prepare(feed, need))
                self._preparing[name, need.release] = task

    async def _prepare(self, feed: Feed, need: Need) -> None:
        loop = asyncio.get_running_loop()
        try:
            gathered = await loop.run_in_executor(self._gathering, gather, self._state, feed.endpoint, need)
            await self._step(feed.fill(gathered))
        except LockgateError as error:
            feed.troubles[need.release] = error
        finally:
            del self._preparing[feed.endpoint, need.release]
            self._wake.set()

    async def _step(self, steps: Iterator[None]) -> None:
        """Go through steps one by one, so that rows are applied between them."""
        while await self._write(lambda: next(steps, _DONE)) is not _DONE:
            continue

    async def _write(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writing, work)

    @contextlib.contextmanager
    def _noting(self, name: str) -> Iterator[None]:
        """Keep what is wrong with one endpoint; the others go on, and it is tried again."""
        try:
            yield
            self._troubles.pop(name, None)
        except LockgateError as error:
            self._troubles[name] = str(error)

    async def _answer(self, question: Question) -> dict[str, Any]:
        match question.do:
            case "caught_up":
                return {"applied": await self._catch_up(question)}
            case "prepare":
                return await self._until_ready(question.endpoint, question.release)
            case "status":
                feeds = {name: await self._status(name, feed) for name, feed in list(self._feeds.items())}
                return {"pid": os.getpid(), "since": self._since, "endpoints": feeds}
            case "stop":
                self._stop.set()
                return {"stopping": True}
            case other:
                raise NotFound(f"Ingest can't {other}", expected="caught_up, prepare, status or stop", found=other)

    async def _catch_up(self, question: Question) -> bool:
        until = stopwatch() + _WAIT_SECONDS
        feed = self._feed(question.endpoint)
        while not feed.position.covers(question.segment, question.offset):
            if stopwatch() > until:
                return False
            await self._next_round()
        return True

    async def _until_ready(self, name: str, release: Digest) -> dict[str, Any]:
        """Have a release prepared, and kept as long as it is asked for."""
        until = stopwatch() + _WAIT_SECONDS
        await self._look_at(name, release)
        feed = self._feed(name)
        while not await self._write(lambda: feed.is_ready(release)):
            if (trouble := feed.troubles.get(release)) is not None:
                raise trouble
            if stopwatch() > until:
                raise Unavailable(f"Release {release} of {name} is not prepared yet", found="more to do than time")
            await self._next_round()
        return {"ready": True}

    async def _next_round(self) -> None:
        done = self._round
        self._wake.set()
        await done.wait()

    def _feed(self, name: str) -> Feed:
        feed = self._feeds.get(name)
        if feed is None:
            raise NotFound(f"Ingest follows no endpoint {name}", expected=", ".join(self._feeds), found=name)
        return feed

    async def _status(self, name: str, feed: Feed) -> dict[str, Any]:
        rows, since = await self._write(lambda: feed.waiting)
        return {
            "lag_rows": rows,
            "lag_seconds": 0.0 if since is None else round((micros(now()) - since) / 1_000_000, 3),
            "preparing": [digest for endpoint, digest in self._preparing if endpoint == name],
            "trouble": self._troubles.get(name) or feed.trouble,
        }


_DONE = object()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ingest; 2 when it could not start."""
    parser = argparse.ArgumentParser(prog="python -m lockgate.serving.ingest", description="Feeds the online store.")
    parser.add_argument("--state", type=Path, required=True, help="the state folder")
    parser.add_argument("--admin", type=Path, required=True, help="where its admin socket is to be")
    given = parser.parse_args(arguments)
    state = StateFolder(given.state.resolve())
    try:
        with _only_one(state.machine.with_name("lock")), contextlib.closing(open_store(store_url(state))) as store:
            asyncio.run(_Ingest(state, store, given.admin).run())
    except LockgateError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Hold the lock of a state folder's log; whoever was killed lets go of it within a moment.

    Raises:
        Conflict: another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = stopwatch() + _LOCK_SECONDS
    try:
        while not _locked(descriptor):
            if stopwatch() > until:
                raise Conflict(
                    "The log of this state folder is being put into a store already",
                    expected="no other ingest",
                    found=f"another process that holds {path}",
                    way_out="Stop that one.",
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
