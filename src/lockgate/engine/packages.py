"""Packages of an installation, for people: what they are, and as folders that prove themselves."""

from pathlib import Path

import msgspec

from lockgate.engine.installation import Installation
from lockgate.engine.naming import find_release
from lockgate.engine.origin import imported_from
from lockgate.engine.rebuilding import REBUILD
from lockgate.kernel.canonical import Digest, canonical, parse
from lockgate.kernel.errors import Invalid, NotFound, Unavailable
from lockgate.packages.describe import Described, describe
from lockgate.packages.exported import export
from lockgate.packages.folder import PackageReader
from lockgate.packages.signing import Trust
from lockgate.records.package import Evidence
from lockgate.records.release import Release
from lockgate.records.training import Environment

__all__ = ["Exported", "PackageSeen", "export_package", "show_package"]


_LOOKED_THROUGH = 10_000


class PackageSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A package, with the release that is meant."""

    package: Described
    release: Release
    release_id: Digest
    # The key that signed the release.
    signed_by: str
    environment: Environment
    # What was brought, where the model was not fitted here; else empty.
    imported: str
    # What came of making it again, newest first.
    rebuilt: tuple[Evidence, ...]


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """A package that was written to a folder."""

    release: Digest
    package: Digest
    folder: str
    # What was written, by path.
    files: tuple[str, ...]
    # The key that signed it, and where its public half is.
    signed_by: str
    public_key: str


def show_package(where: Installation, what: str) -> PackageSeen:
    """Show the package of the release that is meant.

    Raises:
        NotFound: there is no such release.
        Untrusted: nobody who is trusted here signed it.
    """
    digest = find_release(where, what)
    release = where.shelf.get(Release, digest)
    reader = _reader(where, release)
    return PackageSeen(
        package=describe(reader),
        release=release,
        release_id=digest,
        signed_by=Trust.read(where.state.trust).signer(_envelope(where, digest)),
        environment=where.shelf.get(Environment, reader.package.environment),
        imported=imported_from(where, release),
        rebuilt=_rebuilt(where, release),
    )


def export_package(where: Installation, what: str, folder: Path) -> Exported:
    """Write the package of the release that is meant to a folder, with its signed release and its environment.

    Raises:
        NotFound: there is no such release.
        Invalid: the folder is not named from the root.
        Conflict: something is in the folder already.
        Unavailable: it can't be written.
    """
    if not folder.is_absolute():
        raise Invalid("This is no place to write a package to", expected="an absolute path", found=str(folder))
    digest = find_release(where, what)
    reader = _reader(where, where.shelf.get(Release, digest))
    envelope = _envelope(where, digest)
    environment = where.shelf.get(Environment, reader.package.environment)
    signed_by = Trust.read(where.state.trust).signer(envelope)
    try:
        files = export(reader, envelope, canonical(environment), folder)
    except OSError as error:
        msg = f"The folder {folder} can't be written"
        raise Unavailable(msg, expected="a folder that this user can write", found=str(error)) from error
    return Exported(
        release=digest,
        package=reader.digest,
        folder=str(folder),
        files=files,
        signed_by=signed_by,
        public_key=str(where.state.public_key(signed_by)),
    )


def _reader(where: Installation, release: Release) -> PackageReader:
    return PackageReader(where.shelf.unpack(release.package), release.package)


def _rebuilt(where: Installation, release: Release) -> tuple[Evidence, ...]:
    stored = where.shelf.ledger.records.latest("evidence", subject=release.endpoint, limit=_LOOKED_THROUGH)
    found = (parse(one.body, Evidence) for one in stored)
    return tuple(one for one in found if one.kind == REBUILD and one.package == release.package)


def _envelope(where: Installation, release: Digest) -> bytes:
    stored = where.shelf.ledger.records.get("envelope", release)
    if stored is None:
        msg = f"The release {release} was never signed"
        raise NotFound(msg)
    return stored.body
