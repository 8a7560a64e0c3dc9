"""Where things lie in the state folder. The layout is the same for the control plane and for endpoint workers.

stores.json          where ledger, blobs and online store are, if not here; mode 0600
ledger.db            records, pointers, leases          (control plane only)
blobs/               content-addressed bytes            (control plane only)
keys/release.pem     the signing key, mode 0600         (control plane only)
trust/*.pub          public keys that releases may be signed with
access/grants.json   who may do what; access/token is the local user's, mode 0600
packages/<digest>/   unpacked packages
endpoints/<name>/    plan.json, endpoint.json, releases/<digest>.json
log/<name>/          segments of predictions, outcomes and events
store/online.db      what look-ups and windows read, unless a store is named
store/machine        the name of this folder among others that share its ledger or its online store
run/up.json          what is running, and where to reach it; run/lock and run/use say that somebody works here
work/<line>/         scratch of a walk, progress.jsonl
"""

import os
import secrets
from pathlib import Path

import msgspec

__all__ = ["StateFolder", "replace_file"]


class StateFolder(msgspec.Struct, frozen=True):
    """The paths inside a state folder."""

    root: Path

    @property
    def stores(self) -> Path:
        """Where everything is kept, if not in this folder."""
        return self.root / "stores.json"

    @property
    def ledger(self) -> Path:
        """The ledger's database."""
        return self.root / "ledger.db"

    @property
    def blobs(self) -> Path:
        """The blobs."""
        return self.root / "blobs"

    @property
    def signing_key(self) -> Path:
        """The private key."""
        return self.root / "keys" / "release.pem"

    @property
    def trust(self) -> Path:
        """The public keys that are trusted."""
        return self.root / "trust"

    def public_key(self, key: str) -> Path:
        """A public key that is trusted, where it was put there by us: its file is named after the key's id."""
        return self.trust / f"{key}.pub"

    @property
    def grants(self) -> Path:
        """Who may do what."""
        return self.root / "access" / "grants.json"

    @property
    def token(self) -> Path:
        """The local user's token."""
        return self.root / "access" / "token"

    @property
    def log(self) -> Path:
        """The segments, a folder for each endpoint."""
        return self.root / "log"

    @property
    def store(self) -> Path:
        """The online store, where none is named."""
        return self.root / "store" / "online.db"

    @property
    def machine(self) -> Path:
        """The name of this state folder among others that share its ledger or its online store."""
        return self.root / "store" / "machine"

    @property
    def up(self) -> Path:
        """What is running: where, and as which process."""
        return self.root / "run" / "up.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor."""
        return self.root / "run" / "lock"

    @property
    def use(self) -> Path:
        """Held by whoever has the installation open: shared by those who work, alone by who moves it."""
        return self.root / "run" / "use"

    @property
    def endpoints(self) -> Path:
        """A folder for each endpoint."""
        return self.root / "endpoints"

    def package(self, digest: str) -> Path:
        """An unpacked package."""
        return self.root / "packages" / digest.removeprefix("sha256:")

    def endpoint(self, name: str) -> Path:
        """The folder of an endpoint."""
        return self.endpoints / name

    def plan(self, endpoint: str) -> Path:
        """The plan an endpoint obeys."""
        return self.endpoint(endpoint) / "plan.json"

    def release(self, endpoint: str, digest: str) -> Path:
        """The envelope of a release."""
        return self.endpoint(endpoint) / "releases" / f"{digest.removeprefix('sha256:')}.json"

    def work(self, line: str) -> Path:
        """The scratch of a walk."""
        return self.root / "work" / line


def replace_file(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Put a file in place whole: readers see the old bytes or the new ones, also after a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own: another thread or process may be putting the same file in place.
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
