"""Every online store sits the exam."""

import itertools
from pathlib import Path

import pytest

from lockgate.features.store import MemoryStore, OnlineStore, open_store
from lockgate.testing import store_exam
from lockgate.testing.store_exam import Opening
from tests.making import servers


def in_memory() -> Opening:
    store = MemoryStore()

    def opened() -> OnlineStore:
        return store

    return opened


SENTENCES = [sentence for sentence, _ in store_exam(in_memory)]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_memory(sentence: str) -> None:
    dict(store_exam(in_memory))[sentence]()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_sqlite(sentence: str, tmp_path: Path) -> None:
    names = (f"sqlite:///{tmp_path}/{number}.db" for number in itertools.count())

    def make() -> Opening:
        url = next(names)
        return lambda: open_store(url)

    dict(store_exam(make))[sentence]()


@pytest.mark.parametrize("sentence", SENTENCES)
def test_valkey(sentence: str, valkey: servers.Valkey) -> None:
    def make() -> Opening:
        valkey.clear()
        return lambda: open_store(valkey.url)

    dict(store_exam(make))[sentence]()
