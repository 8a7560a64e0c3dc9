"""What goes wrong with blobs, and how they say so."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from obstore.store import MemoryStore, ObjectStore

from lockgate.kernel.canonical import Digest, sha256
from lockgate.kernel.errors import Conflict, Corrupt, Unavailable
from lockgate.ledger.blobs import ObjectBlobs, disk_blobs

DATA = b"a blob that somebody needs"
DIGEST = sha256(DATA)


@pytest.fixture
def blobs(tmp_path: Path) -> ObjectBlobs:
    return disk_blobs(tmp_path / "blobs")


def place(tmp_path: Path, digest: Digest = DIGEST) -> Path:
    digits = digest.removeprefix("sha256:")
    return tmp_path / "blobs" / "sha256" / digits[:2] / digits


def test_a_blob_is_a_file_named_by_its_digest(blobs: ObjectBlobs, tmp_path: Path) -> None:
    blobs.put(DATA)

    assert place(tmp_path).read_bytes() == DATA
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [place(tmp_path)]


def test_one_flipped_bit_is_found_by_every_read(blobs: ObjectBlobs, tmp_path: Path) -> None:
    blobs.put(DATA)
    place(tmp_path).write_bytes(bytes([DATA[0] ^ 1]) + DATA[1:])
    (tmp_path / "out").write_bytes(b"old")

    for read in (lambda: blobs.get(DIGEST), lambda: blobs.fetch(DIGEST, tmp_path / "out")):
        with pytest.raises(Corrupt) as refused:
            read()
        assert DIGEST in refused.value.what
        assert str(place(tmp_path)) in refused.value.found
        assert refused.value.way_out
    assert (tmp_path / "out").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs", "out"]


def test_the_rest_of_a_crash_is_replaced_when_the_blob_is_put_again(blobs: ObjectBlobs, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(DATA)
    puts: list[Callable[[], Digest]] = [lambda: blobs.put(DATA), lambda: blobs.put_file(tmp_path / "in")]
    for put in puts:
        place(tmp_path).parent.mkdir(parents=True, exist_ok=True)
        place(tmp_path).write_bytes(b"")
        assert put() == DIGEST
        assert blobs.get(DIGEST) == DATA


def test_a_put_is_kept_by_the_disk_with_every_folder_that_names_it(
    blobs: ObjectBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: kept.append(os.fstat(descriptor).st_ino))

    blobs.put(DATA)

    path = place(tmp_path)
    assert kept == [p.stat().st_ino for p in (path, path.parent, path.parent.parent, tmp_path / "blobs")]


def test_a_place_that_is_no_folder_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(Unavailable) as refused:
        disk_blobs(tmp_path / "file" / "blobs")

    assert str(tmp_path / "file" / "blobs") in refused.value.what
    assert "Not a directory" in refused.value.found
    assert refused.value.way_out


def test_a_folder_that_takes_no_files_is_unavailable(blobs: ObjectBlobs, tmp_path: Path) -> None:
    (tmp_path / "blobs" / "sha256").write_text("in the way")
    (tmp_path / "in").write_bytes(DATA)

    for ask in (
        lambda: blobs.put(DATA),
        lambda: blobs.put_file(tmp_path / "in"),
        lambda: blobs.get(DIGEST),
        lambda: blobs.fetch(DIGEST, tmp_path / "out"),
        lambda: blobs.has(DIGEST),
    ):
        with pytest.raises(Unavailable) as refused:
            ask()
        assert DIGEST in refused.value.what
        assert "\n" not in refused.value.found


@pytest.fixture
def no_room() -> Iterator[None]:
    """No file may grow beyond a mebibyte: to who writes, the same as a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("no_room")
def test_a_full_disk_is_said_and_nothing_is_left(blobs: ObjectBlobs, tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as refused:
        blobs.put(bytes(2 << 20))
    assert "Free space" in refused.value.way_out
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_fetch_onto_a_full_disk_leaves_nothing(
    blobs: ObjectBlobs, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    digest = blobs.put(bytes(2 << 20))
    request.getfixturevalue("no_room")

    with pytest.raises(Unavailable):
        blobs.fetch(digest, tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir()] == ["blobs"]


class Meddler:
    """A store that changes a file as soon as it is asked whether the blob is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._store = MemoryStore()
        self.put, self.list = self._store.put, self._store.list

    def head(self, key: str) -> object:
        size = self._path.stat().st_size
        self._path.write_bytes(b"x" * size)
        return self._store.head(key)


@pytest.mark.parametrize("size", [1000, 17 << 20], ids=["small", "large"])
def test_a_file_that_changes_while_it_is_stored_is_refused(size: int, tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(bytes(size))
    store = Meddler(tmp_path / "in")

    with pytest.raises(Conflict, match="changed while it was stored"):
        ObjectBlobs(cast("ObjectStore", store), where="memory").put_file(tmp_path / "in")

    assert [key for page in store.list() for key in page] == []


def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    code = (
        "import pathlib, resource, sys\n"
        "from lockgate.ledger.blobs import disk_blobs\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "blobs = disk_blobs(folder / 'blobs')\n"
        "before = peak()\n"
        "blobs.fetch(blobs.put_file(folder / 'in'), folder / 'out')\n"
        "print(peak() - before)\n"
    )
    with (tmp_path / "in").open("wb") as file:
        file.truncate(128 << 20)

    done = subprocess.run([sys.executable, "-c", code, tmp_path], check=True, capture_output=True, text=True)

    grown = int(done.stdout) * (1 if sys.platform == "darwin" else 1024)
    assert grown < 64 << 20, grown
