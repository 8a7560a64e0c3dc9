"""Keeps records by digest, packages as blobs, and releases signed.

- What is content-addressed is stored under its digest and read back verified.
- Releases and waivers are signed. A waiver is read by its envelope; one that nobody who is trusted signed is none.
- A release is numbered by its endpoint: numbers are given by moving a pointer, so none is given to two walks. The same
  walk gets its number again, with the moment it was given at: killed meanwhile, it makes the same release once more.
- Installing writes a package, its envelope and the plan to the endpoint's folder; the plan last, so that a worker never
  reads a plan that names what is not there yet.
"""

from datetime import datetime
from pathlib import Path
from typing import TypeVar

from lockgate.kernel.canonical import Digest, Record, canonical, digest_of, parse, sha256
from lockgate.kernel.errors import LockgateError, NotFound
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.ledger.protocols import Blobs, Entry, Lease, Ledger
from lockgate.packages.folder import MANIFEST, PackageReader
from lockgate.packages.signing import Trust, sign, signing_key
from lockgate.records.package import Package
from lockgate.records.release import Release
from lockgate.records.rollout import Endpoint, TrafficPlan
from lockgate.records.waiver import Waiver

__all__ = ["Shelf"]

R = TypeVar("R", bound=Record)

_ALL = 100_000


class Shelf:
    """All that is kept of one installation, by digest.

    Args:
        ledger: its records and pointers.
        blobs: its bytes.
        state: its folder, for what endpoints read.
    """

    def __init__(self, ledger: Ledger, blobs: Blobs, state: StateFolder) -> None:
        """Hold them."""
        self.ledger = ledger
        self.blobs = blobs
        self.state = state

    def keep(
        self,
        record: Record,
        *,
        subject: str,
        by: str,
        at: datetime,
        fence: Lease | None = None,
        now: datetime | None = None,
    ) -> Digest:
        """Keep a record under its digest; a fence is judged at `now`, or at the record's own time."""
        body = canonical(record)
        digest = sha256(body)
        kind = type(record).__struct_config__.tag
        entry = Entry(kind=str(kind).partition("/")[0], id=digest, subject=subject, body=body, by=by, at=at)
        self.ledger.records.append(entry, fence=fence, now=(now or at) if fence else None)
        return digest

    def get(self, kind: type[R], digest: Digest) -> R:
        """Give a record by digest, verified.

        Raises:
            NotFound: there is none.
            Corrupt: it is not what its digest says.
        """
        name = str(kind.__struct_config__.tag).partition("/")[0]
        stored = self.ledger.records.get(name, digest)
        if stored is None:
            msg = f"There is no {name} {digest}"
            raise NotFound(msg)
        return parse(stored.body, kind, digest=digest)

    def keep_package(self, folder: Path, *, by: str, at: datetime, fence: Lease | None = None) -> Digest:
        """Keep a packed folder: its files as blobs, its manifest as a record."""
        manifest = (folder / MANIFEST).read_bytes()
        package = parse(manifest, Package)
        digest = sha256(manifest)
        PackageReader(folder, digest).verify()
        for file in package.files:
            self.blobs.put_file(folder / file.path)
        return self.keep(package, subject=package.project, by=by, at=at, fence=fence)

    def unpack(self, digest: Digest) -> Path:
        """Give the folder of a package; what is not there, or is not what it should be, is written from its blobs."""
        package = self.get(Package, digest)
        folder = self.state.package(digest)
        for file in package.files:
            if not _is_whole(folder / file.path, file.digest):
                self.blobs.fetch(file.digest, folder / file.path)
        if not _is_whole(folder / MANIFEST, digest):
            replace_file(folder / MANIFEST, canonical(package))
        return folder

    def number_for(
        self, walk: str, endpoint: str, *, by: str, at: datetime, fence: Lease | None = None
    ) -> tuple[int, datetime]:
        """Give the release number of a walk, and when it was given: the next one of the endpoint, or the walk's own."""
        name = f"release-number/{endpoint}"
        moves = self.ledger.pointers.history(name)
        for move in reversed(moves):
            if move.reason == walk:
                return int(move.value), move.at
        expected = moves[-1].value if moves else None
        value = str(int(expected or 0) + 1)
        move = self.ledger.pointers.move(name, expected=expected, value=value, reason=walk, by=by, at=at, fence=fence)
        return int(move.value), move.at

    def keep_release(self, release: Release, *, fence: Lease | None = None, now: datetime | None = None) -> Digest:
        """Sign a release and keep it with its envelope; a fence is judged at `now`, or at the release's own time."""
        return self._keep_signed(release, fence=fence, now=now)

    def keep_waiver(self, waiver: Waiver) -> Digest:
        """Sign a waiver and keep it with its envelope."""
        return self._keep_signed(waiver)

    def _keep_signed(
        self, said: Release | Waiver, *, fence: Lease | None = None, now: datetime | None = None
    ) -> Digest:
        envelope = sign(said, signing_key(self.state.signing_key))
        digest, at = digest_of(said), said.at
        entry = Entry(kind="envelope", id=digest, subject=said.endpoint, body=envelope, by=said.by, at=at)
        self.ledger.records.append(entry, fence=fence, now=(now or at) if fence else None)
        return self.keep(said, subject=said.endpoint, by=said.by, at=at, fence=fence, now=now)

    def waivers(self, endpoint: str) -> dict[Digest, Waiver]:
        """Give the waivers of an endpoint that are signed by somebody who is trusted, oldest first."""
        trust, found = Trust.read(self.state.trust), {}
        for stored in reversed(self.ledger.records.latest("waiver", subject=endpoint, limit=_ALL)):
            envelope = self.ledger.records.get("envelope", stored.id)
            if envelope is None:
                continue
            try:
                waiver = trust.verify_waiver(envelope.body)
            except LockgateError:
                continue
            # What was signed counts, not what lies beside it, and only under its own name.
            if digest_of(waiver) == stored.id and waiver.endpoint == endpoint:
                found[stored.id] = waiver
        return found

    def install(self, endpoint: Endpoint, plan: TrafficPlan) -> None:
        """Write all that an endpoint's workers need for a plan, the plan last."""
        for digest in plan.releases():
            release = self.get(Release, digest)
            self.unpack(release.package)
            envelope = self.ledger.records.get("envelope", digest)
            if envelope is None:
                msg = f"The release {digest} was never signed"
                raise NotFound(msg)
            replace_file(self.state.release(endpoint.name, digest), envelope.body)
        replace_file(self.state.endpoint(endpoint.name) / "endpoint.json", canonical(endpoint))
        replace_file(self.state.plan(endpoint.name), canonical(plan))


def _is_whole(path: Path, digest: Digest) -> bool:
    try:
        return sha256(path.read_bytes()) == digest
    except OSError:
        return False
