"""Blobs: bytes named by their sha256, in memory, on disk, in S3 (`s3`); one class over `obstore` stores.

- A blob's key is `sha256/ab/abcdef…`: its digest, in folders by its first two digits. Nothing else becomes a key.
- A blob is created, not replaced: where one of the same size stands, it stays. One of another size is the rest of a
  crash, and is replaced.
- Large files stream, in both directions. A file that changes while it is stored is refused; nothing is kept of it.
- Every read is verified. A file that is fetched appears under its name whole and verified, or not at all.
- What was put on a disk is still there after a power cut. obstore's own disk store writes a draft and then gives it its
  name, whole or not at all, but does not ask the disk to keep it (no fsync); `disk_blobs` does.
- Nothing is deleted but by `delete`; what may be is not decided here.
- No error of the store's leaves this module.
"""

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore

from lockgate.kernel.canonical import Digest, is_digest, sha256
from lockgate.kernel.errors import Conflict, Corrupt, Malformed, NotFound, Unavailable
from lockgate.ledger.protocols import Blob

if TYPE_CHECKING:
    from obstore import GetResult

__all__ = ["ObjectBlobs", "disk_blobs", "memory_blobs"]

_FOLDER = "sha256"
_CHUNK = 8 << 20
_UPLOADS = 2  # chunks in flight at once: what bounds the memory a large file takes
_WAY_OUT = "Free space or mend the rights to it, then try again."


def memory_blobs() -> "ObjectBlobs":
    """Make blobs in memory; gone when the process ends."""
    return ObjectBlobs(MemoryStore(), where="memory")


def disk_blobs(path: Path) -> "ObjectBlobs":
    """Open the blobs in a folder, which is made where there is none.

    Raises:
        Unavailable: the folder can't be made or read.
    """
    root = path.absolute()
    with _translated(f"open the blobs in {root}"):
        store = LocalStore(root, mkdir=True)
    return ObjectBlobs(store, where=str(root), keep=lambda key: _sync(root, key))


class ObjectBlobs:
    """Blobs in an object store.

    Args:
        store: the store.
        where: its name for people, in errors.
        keep: called with the key of what was put; returns when a power cut can't take it away any more. A store that
            answers only then, as S3 does, needs none.
        way_out: told what the store said; gives the way out of it.
    """

    def __init__(
        self,
        store: ObjectStore,
        *,
        where: str,
        keep: Callable[[str], None] = lambda _key: None,
        way_out: Callable[[str], str] = lambda _said: _WAY_OUT,
    ) -> None:
        self._store = store
        self._where = where
        self._keep = keep
        self._way_out = way_out

    def put(self, data: bytes) -> Digest:
        """Store bytes; the same bytes are stored once."""
        digest = sha256(data)
        with self._asking("put", digest):
            if not self._stands(digest, len(data)):
                self._create(digest, data)
            self._keep(_key(digest))
        return digest

    def put_file(self, path: Path) -> Digest:
        """Store a file, streaming.

        Raises:
            NotFound: no such file.
            Conflict: it changed while it was read.
        """
        with _reading(path) as file:
            digest, size = _digest(_chunks(file))
            with self._asking("put", digest):
                if not self._stands(digest, size):
                    file.seek(0)
                    self._upload(digest, size, _unchanged(_chunks(file), digest, path))
                self._keep(_key(digest))
        return digest

    def get(self, digest: Digest) -> bytes:
        """Give the bytes, verified.

        Raises:
            NotFound: no such blob.
            Corrupt: its bytes are not the ones its name says.
        """
        with self._asking("get", digest):
            data = bytes(self._open(digest).bytes())
            self._verify(digest, sha256(data))
        return data

    def fetch(self, digest: Digest, path: Path) -> None:
        """Write a blob to a file, streaming; the file appears whole and verified, or not at all.

        Raises:
            NotFound, Corrupt: as `get`.
        """
        with self._asking("fetch", digest):
            chunks = self._open(digest).stream(min_chunk_size=_CHUNK)
            with _draft(path) as file:
                found, _ = _digest(_written(chunks, file))
                self._verify(digest, found)

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob is there."""
        with self._asking("look for", digest):
            return self._size(digest) is not None

    def digests(self) -> Iterator[Digest]:
        """Give the digests of all blobs, each once, in any order."""
        for blob in self.listing():
            yield blob.digest

    def listing(self) -> Iterator[Blob]:
        """Give all blobs with their sizes and ages, each once, in any order."""
        with _translated(f"list the blobs in {self._where}", self._way_out):
            for page in self._store.list(_FOLDER):
                for found in page:
                    digest = f"sha256:{found['path'].rpartition('/')[2]}"
                    # A draft of obstore's, or what somebody else put there, is no blob.
                    if is_digest(digest) and found["path"] == _key(digest):
                        yield Blob(digest=digest, bytes=found["size"], at=found["last_modified"])

    def delete(self, digest: Digest) -> None:
        """Delete a blob for good; one that is not there is no error."""
        with self._asking("delete", digest), contextlib.suppress(FileNotFoundError):
            self._store.delete(_key(digest))

    def _stands(self, digest: Digest, size: int) -> bool:
        return self._size(digest) == size

    def _size(self, digest: Digest) -> int | None:
        try:
            return self._store.head(_key(digest))["size"]
        except FileNotFoundError:
            return None

    def _open(self, digest: Digest) -> "GetResult":
        try:
            return self._store.get(_key(digest))
        except FileNotFoundError as error:
            raise NotFound(
                f"There is no blob {digest}",
                expected=f"bytes in {self._where}/{_key(digest)}",
                found="nothing",
                way_out="Restore it from a backup, or run again the step that made it.",
            ) from error

    def _upload(self, digest: Digest, size: int, chunks: Iterator[bytes]) -> None:
        if size <= _CHUNK:
            self._create(digest, b"".join(chunks))
        else:
            # A conditional create would take the whole file into memory. To overwrite harms nobody: whoever else writes
            # under this name writes the same bytes, and readers see a whole blob.
            self._store.put(_key(digest), chunks, chunk_size=_CHUNK, max_concurrency=_UPLOADS)

    def _create(self, digest: Digest, data: bytes) -> None:
        try:
            self._store.put(_key(digest), data, mode="create")
        except AlreadyExistsError:
            # Either somebody was faster, with the same bytes, or what stands there is of another size.
            if not self._stands(digest, len(data)):
                self._store.put(_key(digest), data, mode="overwrite")

    def _verify(self, digest: Digest, found: Digest) -> None:
        if found != digest:
            raise Corrupt(
                f"The blob {digest} is damaged",
                expected=digest,
                found=f"{found} in {self._where}/{_key(digest)}",
                way_out="Delete it there and restore it from a backup, or run again the step that made it.",
            )

    def _asking(self, verb: str, digest: Digest) -> AbstractContextManager[None]:
        return _translated(f"{verb} the blob {digest} in {self._where}", self._way_out)


def _key(digest: Digest) -> str:
    # Anything but a digest could name a file outside.
    if not is_digest(digest):
        raise Malformed("This is not the name of a blob", expected="sha256: and 64 hexadecimal digits", found=digest)
    digits = digest.removeprefix("sha256:")
    return f"{_FOLDER}/{digits[:2]}/{digits}"


@contextmanager
def _translated(what: str, way_out: Callable[[str], str] = lambda _said: _WAY_OUT) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise Unavailable(
            f"Cannot {what}",
            expected="a place that can be read and written, with room left",
            # The store adds its innards on further lines.
            found=str(error).partition("\n")[0],
            way_out=way_out(str(error)),
        ) from error


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    with _translated(f"read {path}"):
        try:
            file = path.open("rb")
        except FileNotFoundError as error:
            raise NotFound(f"Cannot store {path}", expected="a file", found="nothing there") from error
        with file:
            yield file


@contextmanager
def _draft(path: Path) -> Iterator[BinaryIO]:
    """Write beside the target, and put it in place only when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with draft.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield chunk


def _written(chunks: Iterator[bytes], file: BinaryIO) -> Iterator[bytes]:
    for chunk in chunks:
        file.write(chunk)
        yield chunk


def _digest(chunks: Iterator[bytes]) -> tuple[Digest, int]:
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
    return f"sha256:{hasher.hexdigest()}", size


def _unchanged(chunks: Iterator[bytes], digest: Digest, path: Path) -> Iterator[bytes]:
    """Pass chunks on, and refuse the end if they do not come to the digest: the store then drops what it was given."""
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
    found = f"sha256:{hasher.hexdigest()}"
    if found != digest:
        way_out = "Store it when nobody writes to it any more."
        raise Conflict(f"{path} changed while it was stored", expected=digest, found=found, way_out=way_out)


def _sync(root: Path, key: str) -> None:
    """Have the disk keep a file, and every folder that names it."""
    path = root / key
    for place in (path, *path.parents):
        descriptor = os.open(place, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if place == root:
            return
