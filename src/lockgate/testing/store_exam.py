"""The exam that every online store sits: memory, SQLite, Valkey, and whatever anybody writes to the Protocol."""
# ruff: noqa: S101 - an exam asserts, and says what it expects where it expects it

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from threading import Event

from lockgate.features.store import OnlineStore
from lockgate.testing.exams import Questions

__all__ = ["Opening", "store_exam"]

Opening = Callable[[], OnlineStore]
"""Opens one store, each time again, as another process would."""

_QUESTIONS = Questions[Opening]()
_ODD = [b"", b"\x00", b"a\x00b", bytes(range(256)), b"*?[a]^-\\", "grün".encode(), b"x" * 1_000]
_MANY = 3_000
_TIMES = 50


def store_exam(make: Callable[[], Opening]) -> list[tuple[str, Callable[[], None]]]:
    """Give the exam: each sentence, with the function that raises AssertionError where it does not hold.

    Args:
        make: makes an empty store, and gives what opens it; it is called for every question.
    """
    return [(sentence, partial(_sit, question, make)) for sentence, question in _QUESTIONS]


def _sit(question: Callable[[Opening], None], make: Callable[[], Opening]) -> None:
    question(make())


def _put(store: OnlineStore, **kept: bytes | None) -> None:
    store.change([key.encode() for key in kept], lambda _: [*kept.values()])


@_QUESTIONS.ask("what was put under keys comes back in the order asked, and nothing for what is not there")
def _come_back(opening: Opening) -> None:
    store = opening()
    _put(store, a=b"1", b=b"2", c=b"")
    assert store.get([b"b", b"none", b"a", b"c", b"b"]) == [b"2", None, b"1", b"", b"2"]
    assert store.get([]) == []
    assert store.get([b"none"]) == [None]
    store.close()


@_QUESTIONS.ask("any bytes are keys and values")
def _any_bytes(opening: Opening) -> None:
    store = opening()
    keys = [b"k" + odd for odd in _ODD]
    store.change(keys, lambda _: _ODD)
    assert store.get(keys) == _ODD
    assert sorted(store.keys(b"k")) == sorted(keys)
    for key in keys:
        assert key in set(store.keys(key)), key
    store.close()


@_QUESTIONS.ask("what is replaced or taken away is so for all who opened it")
def _replaced(opening: Opening) -> None:
    one, other = opening(), opening()
    _put(one, a=b"1", b=b"2")
    assert other.get([b"a", b"b"]) == [b"1", b"2"]
    _put(other, a=None, b=b"3")
    assert one.get([b"a", b"b"]) == [None, b"3"]
    one.close()
    other.close()


@_QUESTIONS.ask("a change is told what is there, and a failing one changes nothing")
def _failing(opening: Opening) -> None:
    store = opening()
    _put(store, a=b"1")
    told: list[list[bytes | None]] = []

    def fail(there: list[bytes | None]) -> Sequence[bytes | None]:
        told.append(there)
        raise ZeroDivisionError

    try:
        store.change([b"a", b"b"], fail)
    except ZeroDivisionError:
        assert told[0] == [b"1", None]
    else:
        raise AssertionError("the failure was swallowed")
    assert store.get([b"a", b"b"]) == [b"1", None]
    _put(store, a=b"2")
    assert store.get([b"a"]) == [b"2"]
    store.close()


@_QUESTIONS.ask("what is kept is still there for who opens it later")
def _later(opening: Opening) -> None:
    first = opening()
    _put(first, a=b"1")
    # The twin in memory lives as long as somebody holds it.
    second = opening()
    first.close()
    assert second.get([b"a"]) == [b"1"]
    second.close()


@_QUESTIONS.ask("many keys are read and changed at once, and found by how they begin")
def _many(opening: Opening) -> None:
    store = opening()
    keys = [b"many:%05d" % number for number in range(_MANY)]
    store.change(keys, lambda _: keys)
    _put(store, other=b"1", many=b"2")
    assert store.get(keys) == keys
    assert sorted(store.keys(b"many:")) == keys
    assert sorted(store.keys(b"many:0001")) == keys[10:20]
    assert list(store.keys(b"nothing")) == []
    store.change(keys[::2], lambda there: [None] * len(there))
    assert sorted(store.keys(b"many:")) == keys[1::2]
    store.close()


@_QUESTIONS.ask("two who change the same keys at once lose nothing of each other")
def _at_once(opening: Opening) -> None:
    def add(number: int) -> None:
        store = opening()
        for _ in range(_TIMES):
            store.change([b"sum", b"of %d" % number], _add_one)
        store.close()

    keeper = opening()
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(add, range(3)))
    assert keeper.get([b"sum", b"of 0", b"of 1", b"of 2"]) == [b"150", b"50", b"50", b"50"]
    keeper.close()


def _add_one(there: list[bytes | None]) -> list[bytes | None]:
    return [b"%d" % (int(data or b"0") + 1) for data in there]


@_QUESTIONS.ask("who reads sees a change whole or not at all")
def _whole(opening: Opening) -> None:
    writer, reader, ended = opening(), opening(), Event()
    keys = [b"key %d" % number for number in range(40)]

    def write() -> None:
        for number in count():
            if ended.is_set():
                return
            writer.change(keys, lambda there, number=number: [b"%d" % number] * len(there))  # type: ignore[misc]

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        try:
            seen = {len(set(reader.get(keys))) for _ in range(_TIMES * 4)}
        finally:
            ended.set()
        writing.result()
    assert seen == {1}
    writer.close()
    reader.close()
