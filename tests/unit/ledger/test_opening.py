"""Ledgers and blobs by URL."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.kernel.errors import Invalid
from lockgate.ledger.memory import MemoryLedger
from lockgate.ledger.opening import open_blobs, open_ledger
from lockgate.ledger.sql import SqlLedger


def test_a_ledger_is_opened_by_its_scheme(tmp_path: Path) -> None:
    assert isinstance(open_ledger("memory:"), MemoryLedger)
    with open_ledger(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        assert isinstance(ledger, SqlLedger)
    assert (tmp_path / "ledger.db").exists()


def test_blobs_are_opened_by_their_scheme(tmp_path: Path) -> None:
    folder = tmp_path / "a folder, 100 %"
    digest = open_blobs(folder.as_uri()).put(b"a blob")
    assert open_blobs(folder.as_uri()).get(digest) == b"a blob"
    assert folder.is_dir()
    assert not open_blobs("memory:").has(digest)


@pytest.mark.parametrize(
    ("open_it", "url", "said"),
    [
        (open_ledger, "sqlit:///x.db", "Did you mean 'sqlite'?"),
        (
            open_ledger,
            "file:///x.db",
            "expected memory: or sqlite:///path or postgresql://user@host/database, found the scheme 'file'",
        ),
        (open_ledger, "x.db", "found no scheme"),
        (open_blobs, "fiel:///x", "Did you mean 'file'?"),
        (open_blobs, "file://x/y", "expected file:///absolute/path, found the host 'x'"),
        (open_blobs, "file:x", "expected file:///absolute/path, found the path 'x'"),
    ],
)
def test_a_url_is_refused_with_the_nearest_right_one(open_it: Callable[[str], object], url: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        open_it(url)
    assert said in str(refused.value)
    assert url in refused.value.what
