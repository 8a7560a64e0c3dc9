"""A signed package that was exported: a folder that somebody else can have got from anywhere."""

from pathlib import Path

import msgspec

from lockgate.kernel.canonical import Digest, canonical, sha256
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.packages.exported import export
from lockgate.packages.folder import ENVELOPE, ENVIRONMENT, MANIFEST, PackageReader
from lockgate.packages.signing import sign, signing_key
from lockgate.records.release import Release
from tests.making.package import ENVIRONMENT as BUILT_IN
from tests.making.package import START, make_release

__all__ = ["FILES", "PARTS", "Parcel", "make_parcel", "public_key", "sign_over"]


class Parcel(msgspec.Struct, frozen=True):
    """An exported package."""

    # Where it lies.
    folder: Path
    # The installation that signed it.
    state: StateFolder
    # The signer's public key.
    key: Path
    package: Digest


FILES = ("contract.json", "model.bin", "reference.json", "seeds/weather.msgpack", "tables/planes.msgpack")
"""What its manifest names."""

PARTS = (MANIFEST, ENVELOPE, ENVIRONMENT, *FILES)
"""Every file of one."""


def make_parcel(root: Path) -> Parcel:
    """Make a release and export it."""
    state = StateFolder(root / "state")
    made = make_release(state)
    digest = made.release.package
    folder = root / "parcel"
    envelope = state.release(made.release.endpoint, made.digest).read_bytes()
    export(PackageReader(state.package(digest), digest), envelope, canonical(BUILT_IN), folder)
    return Parcel(folder, state, public_key(state), digest)


def public_key(state: StateFolder) -> Path:
    """Give the file of an installation's own public key."""
    (found,) = state.trust.glob("*.pub")
    return found


def sign_over(parcel: Parcel, manifest: bytes) -> None:
    """Put a manifest into an exported package and sign it, as somebody who holds the key could."""
    release = Release(
        endpoint="flight-delay",
        number=2,
        package=sha256(manifest),
        training_run=sha256(b""),
        evidence=(),
        verdicts=(),
        commit="0" * 40,
        dirty=False,
        line="line-1",
        by="somebody with a key",
        at=START,
    )
    replace_file(parcel.folder / MANIFEST, manifest)
    replace_file(parcel.folder / ENVELOPE, sign(release, signing_key(parcel.state.signing_key)))
