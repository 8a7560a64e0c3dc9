"""A package as a folder: a manifest, and files that are what it says.

- The id is the sha256 of `manifest.json`, canonical JSON; every file is named there with its digest.
- Nothing is parsed before its digest has been compared; what was compared is what is parsed (files are read once).
- Paths are plain names with forward slashes; no link on the way is followed, and nothing but a plain file is read;
  files that the manifest does not name are ignored.
"""

import os
import re
import stat
from pathlib import Path
from typing import Any

from lockgate.kernel.canonical import Digest, canonical, digest_of, parse, sha256, short
from lockgate.kernel.errors import Corrupt, Malformed, NotFound
from lockgate.kernel.folders import replace_file
from lockgate.records.package import Package, PackageFile

__all__ = ["ENVELOPE", "ENVIRONMENT", "MANIFEST", "PackageReader", "pack", "read_part"]

MANIFEST = "manifest.json"
ENVELOPE = "release.json"
"""Beside the manifest of a package that was exported: its signed release."""
ENVIRONMENT = "environment.json"
"""Likewise: the environment that it was built in."""

_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(/[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)*")
_LARGEST_MANIFEST = 1 << 20


def pack(folder: Path, files: dict[str, bytes], **manifest: Any) -> tuple[Digest, Package]:  # noqa: ANN401 - fields of Package
    """Write a package and give its id.

    Args:
        folder: where; made if it does not exist.
        files: what goes in, by path.
        manifest: the fields of `Package` but `files`.
    """
    for path, data in files.items():
        _check_path(path)
        replace_file(folder / path, data)
    listed = tuple(PackageFile(path=path, digest=sha256(data), bytes=len(data)) for path, data in sorted(files.items()))
    package = Package(files=listed, **manifest)
    replace_file(folder / MANIFEST, canonical(package))
    return digest_of(package), package


class PackageReader:
    """Reads a package, verifying everything it gives.

    Args:
        folder: where it lies.
        digest: its id, from a source that is trusted.

    Raises:
        NotFound: there is no package.
        Corrupt: its manifest is not the one the id names.
    """

    def __init__(self, folder: Path, digest: Digest) -> None:
        """Read and verify the manifest."""
        self.folder = folder
        self.digest = digest
        self.package = parse(self._bytes(MANIFEST, _LARGEST_MANIFEST), Package, digest=digest)
        for file in self.package.files:
            _check_path(file.path)

    def read(self, path: str) -> bytes:
        """Give a file's bytes, verified.

        Raises:
            NotFound: the manifest does not name it, or it is gone.
            Corrupt: its bytes are not the ones the manifest names.
        """
        listed = self.package.file(path)
        if listed is None:
            msg = f"Package {short(self.digest)} has no file {path}"
            raise NotFound(msg, expected=", ".join(file.path for file in self.package.files))
        data = self._bytes(path, listed.bytes)
        if (found := sha256(data)) != listed.digest or len(data) != listed.bytes:
            msg = f"{path} of package {short(self.digest)} is not what was packed; nothing of it was parsed"
            expected, found = f"{listed.digest}, {listed.bytes:,} bytes", f"{found}, {len(data):,} bytes"
            raise Corrupt(msg, expected=expected, found=found, way_out="Fetch the package again.")
        return data

    def verify(self) -> None:
        """Verify every file."""
        for file in self.package.files:
            self.read(file.path)

    def _bytes(self, path: str, limit: int) -> bytes:
        try:
            return read_part(self.folder, path, limit)
        except OSError as error:
            msg = f"{path} of package {short(self.digest)} can't be read"
            raise NotFound(msg, found=str(error), way_out="Fetch the package again.") from error


def read_part(folder: Path, path: str, limit: int) -> bytes:
    """Read a plain file inside a folder, one byte over its limit at most, so that a grown file costs nothing.

    No link inside the folder is followed, neither to a file nor to a folder.

    Raises:
        OSError: there is none, or something else in its place.
    """
    *steps, name = path.split("/")
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for step in steps:
            inner = os.open(step, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=place)
            os.close(place)
            place = inner
        # Not to wait for whoever might write to a pipe.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=place)
    finally:
        os.close(place)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            msg = f"{path} is no plain file"
            raise OSError(msg)
        return file.read(min(limit, found.st_size) + 1)


def _check_path(path: str) -> None:
    if _PATH.fullmatch(path) is None or path in {MANIFEST, ENVELOPE, ENVIRONMENT}:
        msg = f"A package can't have a file named {path!r}"
        raise Malformed(msg, expected="letters, digits, - and _, with dots inside, joined by forward slashes")
