"""The exam that every store of blobs sits: memory, disk, S3, and whatever anybody writes to the Protocol."""
# ruff: noqa: S101 - an exam asserts, and says what it expects where it expects it

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from lockgate.kernel.canonical import sha256
from lockgate.kernel.errors import Malformed, NotFound
from lockgate.ledger.protocols import Blobs
from lockgate.testing.exams import Questions, refuses

__all__ = ["blob_exam"]

_QUESTIONS = Questions[tuple[Blobs, Path]]()
_LARGE = bytes(range(256)) * (70 << 10)  # 17.5 MiB: more than anybody's chunk
_ABSENT = sha256(b"never stored")


def blob_exam(make: Callable[[], Blobs]) -> list[tuple[str, Callable[[], None]]]:
    """Give the exam: each sentence, with the function that raises AssertionError where it does not hold.

    Args:
        make: makes an empty store; it is called for every question.
    """
    return [(sentence, partial(_sit, question, make)) for sentence, question in _QUESTIONS]


def _sit(question: Callable[[tuple[Blobs, Path]], None], make: Callable[[], Blobs]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        question((make(), Path(folder)))


@_QUESTIONS.ask("bytes come back under their sha256")
def _come_back(place: tuple[Blobs, Path]) -> None:
    blobs, _ = place
    for data in (b"a blob", b"", bytes(range(256)), _LARGE):
        digest = blobs.put(data)
        assert digest == sha256(data)
        assert blobs.get(digest) == data
        assert blobs.has(digest)


@_QUESTIONS.ask("a blob that was never stored is not there")
def _not_there(place: tuple[Blobs, Path]) -> None:
    blobs, folder = place
    assert not blobs.has(_ABSENT)
    with refuses(NotFound) as refusal:
        blobs.get(_ABSENT)
    assert _ABSENT in refusal.error.what
    with refuses(NotFound):
        blobs.fetch(_ABSENT, folder / "out")
    assert list(folder.iterdir()) == []


@_QUESTIONS.ask("the same bytes again are no error, from memory or from a file")
def _same_again(place: tuple[Blobs, Path]) -> None:
    blobs, folder = place
    for data in (b"a blob", _LARGE):
        (folder / "in").write_bytes(data)
        digests = {blobs.put(data), blobs.put(data), blobs.put_file(folder / "in"), blobs.put_file(folder / "in")}
        assert digests == {sha256(data)}
        assert blobs.get(sha256(data)) == data


@_QUESTIONS.ask("a file is stored and fetched, whatever its size")
def _files(place: tuple[Blobs, Path]) -> None:
    blobs, folder = place
    for data in (b"", b"a file", _LARGE):
        (folder / "in").write_bytes(data)
        digest = blobs.put_file(folder / "in")
        assert digest == sha256(data)
        blobs.fetch(digest, folder / "out")
        assert (folder / "out").read_bytes() == data
    assert sorted(path.name for path in folder.iterdir()) == ["in", "out"]


@_QUESTIONS.ask("a fetched file replaces the one there, and its folder is made where there is none")
def _fetched_over(place: tuple[Blobs, Path]) -> None:
    blobs, folder = place
    blobs.fetch(blobs.put(b"old"), folder / "deep" / "out")
    blobs.fetch(blobs.put(b"new"), folder / "deep" / "out")
    assert (folder / "deep" / "out").read_bytes() == b"new"


@_QUESTIONS.ask("a fetch that fails leaves the file that was there")
def _fetch_fails(place: tuple[Blobs, Path]) -> None:
    blobs, folder = place
    (folder / "out").write_bytes(b"old")
    with refuses(NotFound):
        blobs.fetch(_ABSENT, folder / "out")
    assert [path.read_bytes() for path in folder.iterdir()] == [b"old"]


@_QUESTIONS.ask("a file that does not exist is not stored")
def _no_file(place: tuple[Blobs, Path]) -> None:
    blobs, folder = place
    with refuses(NotFound):
        blobs.put_file(folder / "missing")


@_QUESTIONS.ask("every blob is listed, once")
def _listed(place: tuple[Blobs, Path]) -> None:
    blobs, folder = place
    assert list(blobs.digests()) == []
    (folder / "in").write_bytes(_LARGE)
    stored = {*map(blobs.put, (b"", b"one", b"two", b"one")), blobs.put_file(folder / "in")}
    listed = list(blobs.digests())
    assert len(listed) == len(stored)
    assert set(listed) == stored


@_QUESTIONS.ask("every blob is listed with its size and with when it was stored")
def _listed_in_full(place: tuple[Blobs, Path]) -> None:
    blobs, _ = place
    sizes = {blobs.put(data): len(data) for data in (b"", b"one", _LARGE)}
    listed = list(blobs.listing())
    assert {one.digest: one.bytes for one in listed} == sizes
    assert all(one.at.tzinfo is not None for one in listed)


@_QUESTIONS.ask("a blob that was deleted is gone, and no other; deleting it again is no error")
def _deleted(place: tuple[Blobs, Path]) -> None:
    blobs, folder = place
    kept, gone = blobs.put(b"kept"), blobs.put(b"gone")
    blobs.delete(gone)
    blobs.delete(gone)
    blobs.delete(_ABSENT)
    assert not blobs.has(gone)
    with refuses(NotFound):
        blobs.fetch(gone, folder / "out")
    assert list(blobs.digests()) == [kept]
    assert blobs.get(kept) == b"kept"


@_QUESTIONS.ask("what was deleted can be stored again")
def _stored_again(place: tuple[Blobs, Path]) -> None:
    blobs, _ = place
    blobs.delete(blobs.put(b"again"))
    assert blobs.get(blobs.put(b"again")) == b"again"


@_QUESTIONS.ask("only a whole digest names a blob")
def _no_digest(place: tuple[Blobs, Path]) -> None:
    blobs, folder = place
    for name in ("", "sha256:", "../secret", f"{_ABSENT}0", _ABSENT.upper(), _ABSENT.replace("sha256", "md5")):
        with refuses(Malformed):
            blobs.get(name)
        with refuses(Malformed):
            blobs.has(name)
        with refuses(Malformed):
            blobs.delete(name)
        with refuses(Malformed):
            blobs.fetch(name, folder / "out")


@_QUESTIONS.ask("threads that store the same and other blobs do not disturb each other")
def _together(place: tuple[Blobs, Path]) -> None:
    blobs, _ = place
    datas = [f"blob {number % 5}".encode() for number in range(40)]
    with ThreadPoolExecutor(4) as threads:
        digests = list(threads.map(blobs.put, datas))
        assert list(threads.map(blobs.get, digests)) == datas
