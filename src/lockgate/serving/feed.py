"""Feeds the online store with one endpoint's events, and prepares the series of its releases.

- Rows go into the store in the order of the log, in batches; a batch and the position after it are one transaction. So
  after any death it goes on where the store is, and nothing is lost or counted twice.
- A release is prepared once: from here on its series get what is told; then they are filled with what the package
  carries and with the log from its beginning, as told before; then it is marked ready.
- A release is fed as long as the plan names it or a worker asks for it, and ten minutes more: workers may be behind the
  plan. Then it loses its mark, since from then on it may miss rows.
- The horizon follows the latest event, less the lateness that the endpoint's contracts allow; it never goes back.

Only `gather` may run beside the rest; everything else is for one thread.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from lockgate.features.packing import Row, unpack
from lockgate.features.series import (
    Series,
    Told,
    horizon_key,
    merged,
    narrowed,
    pack_horizon,
    position_key,
    ready_key,
    series_of,
    series_prefix,
    tell,
    told_into,
    unite,
    unpack_horizon,
)
from lockgate.features.store import MemoryStore, OnlineStore
from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import LockgateError, Unavailable
from lockgate.kernel.folders import StateFolder
from lockgate.packages.folder import PackageReader
from lockgate.packages.runtime import read_contract, read_seeds
from lockgate.predictionlog.reading import events
from lockgate.predictionlog.tailing import Position, Tail
from lockgate.records.outcome import Event
from lockgate.records.package import Contract
from lockgate.serving.loading import read_plan, read_release

__all__ = ["Feed", "Gathered", "Need", "contract_series", "gather"]

T = TypeVar("T")

_BATCH = 2_000
_ENTITIES = 200
_KEPT_SECONDS = 600.0
_SECOND = 1_000_000


class _Place(msgspec.Struct, frozen=True):
    """What is kept under the position's key."""

    position: Position
    # The latest event, microseconds; None before the first.
    latest: int | None
    # The releases whose series get what is told.
    releases: tuple[Digest, ...]


class _Moved(Exception):
    """The store has another position than the one written last: it was emptied, or put back from a copy."""


class Need(msgspec.Struct, frozen=True):
    """What a release reads."""

    release: Digest
    package: Digest
    series: tuple[Series, ...]
    # How far before the latest event a question may be asked, in microseconds.
    lateness: int


class Gathered(msgspec.Struct, frozen=True):
    """The series of a release as history tells them."""

    need: Need
    store: MemoryStore
    # When the earliest question may be asked that the rows of the package can answer; None for any time.
    horizon: int | None


def contract_series(endpoint: str, contract: Contract) -> tuple[Series, ...]:
    """Give the series that a contract reads."""
    return series_of(endpoint, contract.features, contract.sources)


def gather(state: StateFolder, endpoint: str, need: Need) -> Gathered:
    """Put together what the package of a release carries and what the log holds; writes nothing.

    Raises:
        NotFound, Corrupt: a file of the package is not there, or not what was packed; the log is damaged.
    """
    store = MemoryStore()
    seeds = list(read_seeds(PackageReader(state.package(need.package), need.package)))
    # What the package carries was known when its snapshots ended; it reaches back from there as far as may be asked.
    known = max([row.available_time for row in seeds], default=None)
    posted = (_told(event) for event in events(state.log / endpoint))
    for batch in _batches(itertools.chain(seeds, posted), _BATCH):
        tell(store, need.series, batch)
    return Gathered(need, store, None if known is None else known - need.lateness)


class Feed:
    """One endpoint's way into the store.

    Args:
        state: the files.
        endpoint: whose.
        store: where the rows go.
        machine: whose log it is.
    """

    def __init__(self, state: StateFolder, endpoint: str, store: OnlineStore, machine: str) -> None:
        self._state, self.endpoint, self._store, self._machine = state, endpoint, store, machine
        self._position_key, self._horizon_key = position_key(machine, endpoint), horizon_key(endpoint)
        self._needs: dict[Digest, Need] = {}
        self._series: dict[bytes, Series] = {}
        self._place: bytes | None = None
        self._latest: int | None = None
        # When each release was last asked for.
        self._asked: dict[Digest, float] = {}
        self._tail = Tail(state.log / endpoint, Position())
        # What keeps a release from being prepared.
        self.troubles: dict[Digest, LockgateError] = {}
        self._go_on()

    @property
    def position(self) -> Position:
        """How far the log is in the store."""
        return self._tail.position

    @property
    def waiting(self) -> tuple[int, int | None]:
        """How many rows are not in the store yet, and when the first of them was received."""
        return self._tail.waiting(_BATCH)

    @property
    def trouble(self) -> str | None:
        """What keeps rows out of the store; None for nothing."""
        found = [*self.troubles.values(), *self._tail.troubles.values()]
        return str(found[0]) if found else None

    def look(self, seconds: float, *asked: Digest) -> list[Need]:
        """Give the releases that must be prepared; they get what is told from here on.

        Args:
            seconds: the time, that only grows.
            asked: releases that a worker asks for, beside those that the plan names.

        Raises:
            LockgateError: the plan can't be read, or the store; everything stays as it was.
        """
        self._check_place()
        for digest in (*read_plan(self._state, self.endpoint).releases(), *asked):
            self._asked[digest] = seconds
        for digest in self._needs:
            self._asked.setdefault(digest, seconds)
        for digest, at in list(self._asked.items()):
            if seconds - at > _KEPT_SECONDS:
                self._let_go(digest)
            elif digest not in self._needs:
                self._begin(digest)
        marks = self._store.get([self._ready(digest) for digest in self._needs])
        return [need for need, mark in zip(self._needs.values(), marks, strict=True) if mark is None]

    def is_ready(self, digest: Digest) -> bool:
        """Tell whether a release is prepared."""
        return self._store.get([self._ready(digest)]) != [None]

    def apply(self) -> int:
        """Put the next rows of the log into the store; give how many, 0 when it has all."""
        found, position = self._tail.read(_BATCH)
        if position == self.position:
            return 0
        latest = max([min(one.event_time, one.available_time) for one in found], default=self._latest)
        if self._latest is not None and latest is not None:
            latest = max(latest, self._latest)
        rows = told_into(self._series.values(), map(_told, found))
        place = self._placed(position, latest)

        def change(there: list[bytes | None]) -> list[bytes | None]:
            if there[0] != self._place:
                raise _Moved
            horizon = self._horizon(there[1], latest)
            changed = [_merged(*one, data, horizon) for one, data in zip(rows.values(), there[2:], strict=True)]
            return [place, None if horizon is None else pack_horizon(horizon), *changed]

        try:
            self._store.change([self._position_key, self._horizon_key, *rows], change)
        except _Moved:
            self._go_on()
            return 0
        self._tail.position, self._latest, self._place = position, latest, place
        return len(found)

    def fill(self, gathered: Gathered) -> Iterator[None]:
        """Put what was gathered for a release into the store, and mark it ready; a piece at every step.

        Between two steps rows may be applied: what they told last stays told last.
        """
        digest = gathered.need.release
        for keys in _batches(gathered.store.keys(b""), _ENTITIES):
            self._fill(keys, gathered)
            yield
        if digest in self._needs:
            self._mark(digest, pack_horizon(gathered.horizon))
            self.troubles.pop(digest, None)

    def sweep(self) -> Iterator[None]:
        """Leave out everywhere what can't count any more; a piece at every step.

        Not where another machine feeds the same store: it may want what this one knows nothing of.
        """
        places = self._store.keys(position_key("", "")[:-2])
        if any(key != self._position_key and key.endswith(f"\0{self.endpoint}".encode()) for key in places):
            return
        for keys in _batches(self._store.keys(series_prefix(self.endpoint)), _ENTITIES):
            self._store.change([self._horizon_key, *keys], lambda there, keys=keys: self._swept(keys, there))  # type: ignore[misc]
            yield

    def _swept(self, keys: Sequence[bytes], there: list[bytes | None]) -> list[bytes | None]:
        horizon = unpack_horizon(there[0])
        swept: list[bytes | None] = [there[0]]
        for key, data in zip(keys, there[1:], strict=True):
            series = self._series_at(key)
            swept.append(None if data is None or series is None else narrowed(series, unpack(data), horizon))
        return swept

    def _fill(self, keys: Sequence[bytes], gathered: Gathered) -> None:
        told = gathered.store.get(keys)

        def change(there: list[bytes | None]) -> list[bytes | None]:
            horizon = self._horizon(there[0], self._latest)
            filled: list[bytes | None] = [there[0]]
            for key, data, more in zip(keys, there[1:], told, strict=True):
                series = self._series_at(key)
                if series is None or more is None:
                    filled.append(data)
                    continue
                rows = unpack(more).rows(series.columns)
                filled.append(merged(series, None if data is None else unpack(data), rows, horizon, before=True))
            return filled

        self._store.change([self._horizon_key, *keys], change)

    def _series_at(self, key: bytes) -> Series | None:
        return next((series for prefix, series in self._series.items() if key.startswith(prefix)), None)

    def _horizon(self, there: bytes | None, latest: int | None) -> int | None:
        """Give from when on questions can be answered: never earlier than before."""
        before = unpack_horizon(there)
        if latest is None or not self._needs:
            return before
        now = latest - max(need.lateness for need in self._needs.values())
        return now if before is None else max(now, before)

    def _go_on(self) -> None:
        """Go on where the store is."""
        (self._place,) = self._store.get([self._position_key])
        place = _NOWHERE if self._place is None else msgspec.msgpack.decode(self._place, type=_Place)
        self._tail.position, self._latest = place.position, place.latest
        self._needs, self._series = {}, {}
        for digest in place.releases:
            self._begin(digest)

    def _placed(self, position: Position, latest: int | None) -> bytes:
        return msgspec.msgpack.encode(_Place(position, latest, tuple(self._needs)))

    def _mark(self, digest: Digest, mark: bytes | None) -> None:
        """Mark a release as whole, or not; at the same time it is noted which ones are fed.

        Raises:
            Unavailable: the store can't be written, or is not as it was left.
        """
        place = self._placed(self.position, self._latest)

        def change(there: list[bytes | None]) -> list[bytes | None]:
            if there[0] != self._place:
                raise Unavailable("The online store was changed by somebody else", found="another position")
            return [place, mark]

        self._store.change([self._position_key, self._ready(digest)], change)
        self._place = place

    def _ready(self, digest: Digest) -> bytes:
        return ready_key(self._machine, self.endpoint, digest)

    def _check_place(self) -> None:
        if self._store.get([self._position_key]) != [self._place]:
            self._go_on()

    def _begin(self, digest: Digest) -> None:
        """Have a release's series told what comes; one that can't be read is not taken for whole any more."""
        try:
            release = read_release(self._state, self.endpoint, digest)
            contract = read_contract(PackageReader(self._state.package(release.package), release.package))
            series = contract_series(self.endpoint, contract)
        except LockgateError as error:
            self.troubles[digest] = error
            self._mark(digest, None)
            return
        self.troubles.pop(digest, None)
        lateness = round(contract.request.lateness.total_seconds() * _SECOND)
        self._needs[digest] = Need(digest, release.package, series, lateness)
        self._series = unite(one for need in self._needs.values() for one in need.series)

    def _let_go(self, digest: Digest) -> None:
        """Feed a release no more; it is not taken for whole from the same moment on."""
        need = self._needs.pop(digest, None)
        try:
            self._mark(digest, None)
        except LockgateError:
            if need is not None:
                self._needs[digest] = need
            raise
        del self._asked[digest]
        self.troubles.pop(digest, None)
        self._series = unite(one for need in self._needs.values() for one in need.series)


_NOWHERE = _Place(Position(), None, ())


def _merged(series: Series, told: list[Row], data: bytes | None, horizon: int | None) -> bytes | None:
    return merged(series, None if data is None else unpack(data), told, horizon)


def _told(event: Event) -> Told:
    return Told(event.source, event.key, event.event_time, event.available_time, event.values)


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
