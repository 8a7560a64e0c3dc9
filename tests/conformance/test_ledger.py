"""Every ledger sits the exam."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.ledger.sql import SqlLedger
from lockgate.testing import MemoryLedger, ledger_exam

SENTENCES = [sentence for sentence, _ in ledger_exam(MemoryLedger)]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_memory(sentence: str) -> None:
    dict(ledger_exam(MemoryLedger))[sentence]()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_sqlite(sentence: str, tmp_path: Path) -> None:
    dict(ledger_exam(sqlite_in(tmp_path)))[sentence]()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_postgres(sentence: str, postgres_url: str) -> None:
    dict(ledger_exam(lambda: SqlLedger(postgres_url)))[sentence]()


def sqlite_in(folder: Path) -> Callable[[], SqlLedger]:
    names = (f"sqlite:///{folder}/{number}.db" for number in itertools.count())
    return lambda: SqlLedger(next(names))
