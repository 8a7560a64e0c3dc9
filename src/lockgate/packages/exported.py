"""A package that was taken out of its installation: a folder that proves itself.

- It holds the manifest and the files of the package, `release.json` (the signed envelope) and `environment.json`.
- Whoever has the signer's public key can verify it: offline, without an installation, and without the model's library.
- The signature comes first, then the manifest by the digest that the release names, then every file by the manifest.
  Nothing is parsed before it was compared; of the files nothing is parsed at all.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lockgate.kernel.canonical import Digest, canonical, digest_of, parse, sha256
from lockgate.kernel.errors import Conflict, Corrupt, NotFound, Untrusted
from lockgate.kernel.folders import replace_file
from lockgate.packages.folder import ENVELOPE, ENVIRONMENT, MANIFEST, PackageReader, read_part
from lockgate.packages.signing import Trust
from lockgate.records.package import Package
from lockgate.records.release import Release
from lockgate.records.training import Environment

__all__ = ["Verified", "export", "reader_of", "verify"]

_LARGEST = 1 << 20
_MOST_NAMED = 20


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """An exported package that is what its signer said."""

    # The release, and its digest.
    release: Release
    release_id: Digest
    # The id of the key that signed it.
    signed_by: str
    # The manifest.
    package: Package
    # The environment that it was built in.
    environment: Environment
    # What lies beside it and is no part of it: nobody signed that, and nothing reads it.
    beside: tuple[str, ...]


def export(source: PackageReader, envelope: bytes, environment: bytes, folder: Path) -> tuple[str, ...]:
    """Write a package, its signed release and its environment to a folder; gives what was written, by path.

    Raises:
        NotFound, Corrupt: as `PackageReader`.
        Conflict: something is in the folder already.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder} is there already, and is not empty"
        raise Conflict(msg, expected="a new or an empty folder", found=str(folder), way_out="Name another folder.")
    for file in source.package.files:
        replace_file(folder / file.path, source.read(file.path))
    replace_file(folder / ENVIRONMENT, environment)
    replace_file(folder / ENVELOPE, envelope)
    # The manifest last: a folder with a manifest is whole.
    replace_file(folder / MANIFEST, canonical(source.package))
    return (MANIFEST, ENVELOPE, ENVIRONMENT, *(file.path for file in source.package.files))


def verify(folder: Path, trust: Trust) -> Verified:
    """Verify an exported package from its signature to its last file.

    Raises:
        Untrusted: no key that is trusted signed it.
        NotFound: a part is missing, or is no plain file.
        Corrupt: a part is not what was signed.
        Malformed: it was signed, but is no release, or no package.
    """
    envelope = _part(folder, ENVELOPE)
    try:
        signed_by, release = trust.signer(envelope), trust.verify(envelope)
    except Untrusted as error:
        # There is no trust store here: whose signature counts was said with the question.
        way_out = "Name the key of whoever you believe, if they signed it: --key PUBLIC_KEY." if error.way_out else ""
        raise Untrusted(error.what, expected=error.expected, found=error.found, way_out=way_out) from error
    reader = PackageReader(folder, release.package)
    reader.verify()
    return Verified(
        release=release,
        release_id=digest_of(release),
        signed_by=signed_by,
        package=reader.package,
        environment=parse(_part(folder, ENVIRONMENT), Environment, digest=reader.package.environment),
        beside=tuple(_beside(folder, reader.package)),
    )


def reader_of(folder: Path) -> PackageReader:
    """Open a package folder by what its own manifest says: its files are those that it names, whoever made it.

    Raises:
        NotFound: it has no manifest.
        Malformed: what it has is none.
    """
    return PackageReader(folder, sha256(_part(folder, MANIFEST)))


def _part(folder: Path, path: str) -> bytes:
    try:
        data = read_part(folder, path, _LARGEST)
    except OSError as error:
        msg = f"{folder} is no exported package: its {path} can't be read"
        raise NotFound(msg, found=str(error), way_out="lockgate package export makes one.") from error
    if len(data) > _LARGEST:
        msg = f"{path} of {folder} is larger than it can be"
        raise Corrupt(msg, expected=f"{_LARGEST:,} bytes at most", found="more")
    return data


def _beside(folder: Path, package: Package) -> Iterator[str]:
    """Name what the package does not name; links are named, and not followed."""
    known = {MANIFEST, ENVELOPE, ENVIRONMENT, *(file.path for file in package.files)}
    named = 0
    for place, folders, files in os.walk(folder):
        linked = [name for name in folders if (Path(place) / name).is_symlink()]
        for name in sorted([*files, *linked]):
            path = (Path(place) / name).relative_to(folder).as_posix()
            if path not in known and named < _MOST_NAMED:
                named += 1
                yield path
