"""Whatever is asked of them, in whatever order, the ledger in memory and the one in SQLite answer the same."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lockgate.kernel.errors import LockgateError
from lockgate.ledger.memory import MemoryLedger
from lockgate.ledger.protocols import Entry, Lease, Ledger
from lockgate.ledger.sql import SqlLedger

NAMES = st.sampled_from(["a", "b"])
VALUES = st.sampled_from(["one", "two", "", "s\u00e9"])
SPANS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(minutes=2))
NEVER_HELD = Lease(name="a", owner="nobody", token=7, expires_at=datetime(2014, 1, 1, tzinfo=UTC))


class Twins(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.sql = SqlLedger(f"sqlite:///{self.folder.name}/ledger.db")
        self.memory = MemoryLedger()
        self.now = datetime(2013, 3, 1, tzinfo=UTC)
        self.leases: list[Lease] = [NEVER_HELD]

    def teardown(self) -> None:
        with self.sql:
            pass
        self.folder.cleanup()

    def both(self, ask: Callable[[Ledger], object]) -> object:
        said, expected = said_by(self.sql, ask), said_by(self.memory, ask)
        assert said == expected
        return said

    @rule(span=SPANS)
    def time_passes(self, span: timedelta) -> None:
        self.now += span

    @rule(kind=NAMES, record_id=VALUES, subject=NAMES, body=VALUES, data=st.data())
    def append(self, kind: str, record_id: str, subject: str, body: str, data: st.DataObject) -> None:
        fence = data.draw(st.sampled_from([None, *self.leases]))
        now = self.now if fence else None
        entry = Entry(kind=kind, id=record_id, subject=subject, body=body.encode(), by="ada", at=self.now)
        self.both(lambda ledger: ledger.records.append(entry, fence=fence, now=now))

    @rule(name=NAMES, expected=st.none() | VALUES, value=VALUES, right=st.booleans(), data=st.data())
    def move(self, name: str, expected: str | None, value: str, right: bool, data: st.DataObject) -> None:
        fence = data.draw(st.sampled_from([None, *self.leases]))
        stands = self.memory.pointers.read(name)
        believed = stands.value if stands and right else expected
        self.both(
            lambda ledger: ledger.pointers.move(
                name, expected=believed, value=value, reason="why", by="ada", at=self.now, fence=fence
            )
        )

    @rule(name=NAMES, owner=VALUES, span=SPANS)
    def acquire(self, name: str, owner: str, span: timedelta) -> None:
        lease = self.both(lambda ledger: ledger.leases.acquire(name, owner=owner, now=self.now, span=span))
        if isinstance(lease, Lease):
            self.leases.append(lease)

    @rule(span=SPANS, data=st.data())
    def renew(self, span: timedelta, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        self.both(lambda ledger: ledger.leases.renew(lease, now=self.now, span=span))

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        lease = data.draw(st.sampled_from(self.leases))
        self.both(lambda ledger: ledger.leases.release(lease))

    @rule(kind=NAMES, subject=st.none() | NAMES, after=st.integers(-1, 9), limit=st.integers(-1, 5))
    def read(self, kind: str, subject: str | None, after: int, limit: int) -> None:
        self.both(lambda ledger: list(ledger.records.list(kind, subject=subject, after=after, limit=limit)))
        self.both(lambda ledger: list(ledger.records.latest(kind, subject=subject, limit=limit)))
        self.both(lambda ledger: list(ledger.records.latest(kind, subject=subject, before=after, limit=limit)))

    @invariant()
    def they_hold_the_same(self) -> None:
        for name in ("a", "b"):
            self.both(lambda ledger, name=name: list(ledger.records.list(name)))  # type: ignore[misc] # binds the name
            self.both(lambda ledger, name=name: list(ledger.pointers.history(name)))  # type: ignore[misc]
            self.both(lambda ledger, name=name: ledger.leases.holder(name))  # type: ignore[misc]


def said_by(ledger: Ledger, ask: Callable[[Ledger], object]) -> object:
    try:
        return ask(ledger)
    except LockgateError as error:
        return type(error), str(error)


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=25, stateful_step_count=30)
