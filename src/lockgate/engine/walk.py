"""One walk of the line, a step at a time.

- A step's result is kept under its key: the digest of its station and of all it consumes. A step that is there is not
  done again, in this walk or another.
- A step whose result was swept is not found: it is done again, under the next key.
- A step is written under the walk's lease; a walker that was thought dead can't write after another has taken over.
- A walk is gone through from its beginning each time; finished steps cost a look.
"""

import os
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from lockgate.engine.installation import Installation
from lockgate.engine.openlineage.observer import Observer, Silence
from lockgate.kernel.canonical import Digest, canonical, digest_of, parse
from lockgate.kernel.errors import Conflict, LockgateError, Unavailable
from lockgate.ledger.protocols import Entry, Lease
from lockgate.records.line import Line, Step

__all__ = ["LEASE_SPAN", "Told", "Walk", "owner_is_dead", "read_told", "this_owner"]

LEASE_SPAN = timedelta(seconds=20)

_PROGRESS = "progress.jsonl"
_NOBODY = Silence()


class Told(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something a walk says of itself while it goes."""

    # The station.
    station: str
    # `began`, `going`, `done`, `found` (already there), `stopped`, `failed`.
    state: str
    # How far, 0 to 1, while going.
    share: float = 0.0
    # In words.
    text: str = ""
    # How long the step took, when done.
    seconds: float | None = None


class Walk:
    """A walk that this process holds the lease of.

    Args:
        where: the installation.
        line: the walk.
        lease: on the walk; renewed in the background until `close`.
        observer: is told how it goes.
    """

    def __init__(self, where: Installation, line: Line, lease: Lease, observer: Observer = _NOBODY) -> None:
        """Begin to renew the lease."""
        self.where = where
        self.line = line
        self.observer = observer
        self.scratch = where.state.work(line.id)
        self._lease = lease
        self._closing = threading.Event()
        self._renewer = threading.Thread(target=self._renew, name=f"lease {line.id}", daemon=True)
        self._renewer.start()

    def step(
        self, station: str, consumed: Mapping[str, str], work: Callable[[], dict[str, Digest]], *, name: str = ""
    ) -> dict[str, Digest]:
        """Give what a step produced: found under its key, or done now and kept.

        Args:
            station: the station's name.
            consumed: digests, and other text that decides the result, by role.
            work: does it; gives digests by role.
            name: for people, where a station does several.
        """
        key = self._standing_key(digest_of({"station": station, "consumed": dict(consumed)}))
        label = f"{station} {name}".strip()
        stored = self.where.shelf.ledger.records.get("step", key)
        if stored is not None:
            step = parse(stored.body, Step)
            self.tell(Told(station=label, state="found", seconds=step.seconds))
            self.observer.found(label, step)
            return step.produced
        began = self.where.clock()
        self.tell(Told(station=label, state="began"))
        self.observer.began(label)
        try:
            produced = work()
        except LockgateError as error:
            self.observer.failed(label, error)
            raise
        seconds = (self.where.clock() - began).total_seconds()
        step = Step(
            key=key,
            station=station,
            consumed=dict(consumed),
            produced=produced,
            line=self.line.id,
            began_at=began,
            seconds=seconds,
        )
        self._keep(step)
        self.tell(Told(station=label, state="done", seconds=seconds))
        self.observer.ended(label, step)
        return produced

    def _standing_key(self, key: Digest) -> Digest:
        """Give the key under which a step stands or is to be done: what was swept is done again, under another."""
        while self.where.shelf.ledger.records.get("swept", key) is not None:
            key = digest_of({"swept": key})
        return key

    def _keep(self, step: Step) -> None:
        now = self.where.clock()
        entry = Entry(kind="step", id=step.key, subject=self.line.id, body=canonical(step), by=self.line.by, at=now)
        self.where.shelf.ledger.records.append(entry, fence=self._lease, now=now)

    def keep(self, record: Any, *, subject: str | None = None) -> Digest:  # noqa: ANN401 - any record
        """Keep a record under its digest, listed as this walk's or under a subject."""
        subject = subject or self.line.project or self.line.id
        return self.where.shelf.keep(record, subject=subject, by=self.line.by, at=self.where.clock(), fence=self._lease)

    @property
    def fence(self) -> Lease:
        """The lease, as it stands now."""
        return self._lease

    def progress(self, station: str) -> Callable[[float, str], None]:
        """Give a function that tells how far a station is."""
        return lambda share, text: self.tell(Told(station=station, state="going", share=share, text=text))

    def tell(self, told: Told) -> None:
        """Say something of this walk, for whoever watches."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        with (self.scratch / _PROGRESS).open("ab") as file:
            file.write(msgspec.json.encode(told) + b"\n")

    def sweep(self) -> None:
        """Remove the files of a walk that ended well; what it said of itself stays."""
        for path in self.scratch.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)

    def _renew(self) -> None:
        leases = self.where.shelf.ledger.leases
        while not self._closing.wait(LEASE_SPAN.total_seconds() / 4):
            try:
                self._lease = leases.renew(self._lease, now=self.where.clock(), span=LEASE_SPAN)
            except Conflict:
                return  # lost; the next write is refused by the fence and says so
            except Unavailable:
                continue  # the ledger may be there again before the lease ends

    def close(self) -> None:
        """Stop renewing and give the lease up."""
        self._closing.set()
        self._renewer.join()
        self.where.shelf.ledger.leases.release(self._lease)


def read_told(scratch: Path, after: int) -> list[Told]:
    """Give what a walk said of itself, from a place on."""
    try:
        lines = (scratch / _PROGRESS).read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line, type=Told) for line in lines[after:]]


def this_owner() -> str:
    """Name this process as an owner of leases: host, pid and when it began."""
    return f"{socket.gethostname()}/{os.getpid()}/{_began(os.getpid())}"


def owner_is_dead(owner: str) -> bool:
    """Tell whether an owner is a process of this host that is gone; of other hosts nothing is known."""
    host, pid, began = owner.split("/")
    return host == socket.gethostname() and _began(int(pid)) != began


def _began(pid: int) -> str:
    """Give when a process began, in clock ticks since boot (proc(5)); empty for none, or one that has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
