"""Where an installation keeps things: what is said, what is remembered, what is refused."""

from pathlib import Path

import pytest

from lockgate.engine.clock import now
from lockgate.engine.installation import installation
from lockgate.engine.stores import Stores, remember, remembered, settle, without_password
from lockgate.kernel.errors import Conflict, Corrupt, Invalid, LockgateError, Unavailable
from lockgate.kernel.folders import StateFolder

POSTGRES = "postgresql://ada:let-me-in@db/lockgate"
PLAIN = "postgresql://ada@db/lockgate"
S3 = "s3://bucket/prefix"


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    return StateFolder(tmp_path)


def test_what_is_not_said_is_in_the_state_folder(state: StateFolder) -> None:
    opened = settle(state, Stores(), {}).opened.urls(state)
    assert opened.ledger == f"sqlite:///{state.root}/ledger.db"
    assert opened.blobs == f"file://{state.root}/blobs"
    assert opened.store == f"sqlite:///{state.root}/store/online.db"


def test_what_was_said_once_is_used_from_then_on_and_kept_from_others(state: StateFolder) -> None:
    remember(state, settle(state, Stores(ledger=POSTGRES, blobs=S3), {}).kept)
    assert settle(state, Stores(), {}).opened == Stores(ledger=POSTGRES, blobs=S3)
    assert state.stores.stat().st_mode & 0o777 == 0o600


def test_the_environment_is_used_and_its_password_is_not_written_down(state: StateFolder) -> None:
    environment = {"LOCKGATE_LEDGER": POSTGRES, "LOCKGATE_STORE": "valkey://:let-me-in@cache/1"}
    settled = settle(state, Stores(), environment)
    assert settled.opened.ledger == POSTGRES
    assert settled.kept == Stores(ledger=PLAIN, store="valkey://cache/1")
    remember(state, settled.kept)
    assert settle(state, Stores(), environment).opened.ledger == POSTGRES
    assert settle(state, Stores(), {}).opened.ledger == PLAIN


def test_an_option_wins_over_the_environment(state: StateFolder) -> None:
    settled = settle(state, Stores(blobs=S3), {"LOCKGATE_BLOBS": "s3://other"})
    assert settled.opened.blobs == S3


def test_a_path_means_the_same_from_any_folder(state: StateFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(state.root)
    assert settle(state, Stores(ledger="sqlite:///l.db"), {}).kept.ledger == f"sqlite:///{state.root}/l.db"


SAME = {
    "embedded": ("", "embedded"),
    "the path of the state folder's own": ("", "sqlite:///{root}/ledger.db"),
    "another password": (POSTGRES, "postgresql://ada:changed@db/lockgate"),
    "another user": (POSTGRES, "postgresql://bob@db/lockgate"),
    "its port, said": (POSTGRES, "postgresql://db:5432/lockgate"),
    "the short scheme": (POSTGRES, "postgres://db/lockgate"),
    "an option for the driver": (POSTGRES, "postgresql://db/lockgate?sslmode=require"),
}


@pytest.mark.parametrize("what", SAME)
def test_the_same_ledger_said_in_another_way_is_the_same(what: str, state: StateFolder) -> None:
    known, said = SAME[what]
    if known:
        remember(state, Stores(ledger=known))
    state.ledger.touch()
    settle(state, Stores(ledger=said.format(root=state.root)), {})


OTHER = {
    "another database": Stores(ledger="postgresql://ada@db/other"),
    "another host": Stores(ledger="postgresql://ada@elsewhere/lockgate"),
    "another port": Stores(ledger="postgresql://ada@db:5433/lockgate"),
    "the state folder": Stores(ledger="embedded"),
    "another bucket": Stores(blobs="s3://other/prefix"),
    "another prefix": Stores(blobs="s3://bucket/other"),
    "a folder": Stores(blobs="file:///blobs"),
}


@pytest.mark.parametrize("what", OTHER)
def test_another_place_is_refused_with_the_way_to_move(what: str, state: StateFolder) -> None:
    remember(state, Stores(ledger=POSTGRES, blobs=S3))
    with pytest.raises(Conflict) as refused:
        settle(state, OTHER[what], {})
    assert "lockgate move --" in refused.value.way_out
    assert "let-me-in" not in str(refused.value)


def test_an_installation_that_never_said_where_is_embedded_and_has_to_be_moved(state: StateFolder) -> None:
    state.ledger.touch()
    with pytest.raises(Conflict, match="lockgate move --ledger"):
        settle(state, Stores(), {"LOCKGATE_LEDGER": POSTGRES})


def test_another_online_store_is_taken_as_it_is_rebuilt(state: StateFolder) -> None:
    remember(state, Stores(store="valkey://one/0"))
    assert settle(state, Stores(store="valkey://two/0"), {}).kept.store == "valkey://two/0"


@pytest.mark.parametrize("kind", ["ledger", "blobs", "store"])
def test_nothing_is_kept_in_memory(kind: str, state: StateFolder) -> None:
    with pytest.raises(Invalid, match="in memory"):
        settle(state, Stores(**{kind: "memory:"}), {})


def test_a_file_that_was_spoilt_is_corrupt(state: StateFolder) -> None:
    state.stores.write_text("ledger: here")
    with pytest.raises(Corrupt, match=r"stores\.json"):
        remembered(state)


SHOWN = {
    POSTGRES: PLAIN,
    "postgresql://db/lockgate?password=let-me-in&sslmode=require": "postgresql://db/lockgate?sslmode=require",
    "valkey://:let-me-in@cache:6380/1": "valkey://cache:6380/1",
    "sqlite:////var/ledger.db": "sqlite:////var/ledger.db",
    "file:///var/blobs": "file:///var/blobs",
    S3: S3,
}


@pytest.mark.parametrize("url", SHOWN)
def test_a_url_is_shown_without_its_password(url: str) -> None:
    assert without_password(url) == SHOWN[url]


WRONG: dict[str, tuple[Stores, type[LockgateError], str]] = {
    "a server that is not there": (Stores(ledger="postgresql://ada@127.0.0.1:1/x"), Unavailable, "Is it running"),
    "a kind of ledger that is not there": (Stores(ledger="mysql://db/x"), Invalid, "postgresql://user@host/database"),
    "blobs on another host": (Stores(blobs="file://host/x"), Invalid, "file:///absolute/path"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_can_not_be_opened_is_said_and_not_remembered(what: str, state: StateFolder) -> None:
    asked, kind, said = WRONG[what]
    with pytest.raises(kind, match=said), installation(state.root, now, asked):
        pass
    assert not state.stores.exists()
    with installation(state.root, now):
        assert state.ledger.exists()
