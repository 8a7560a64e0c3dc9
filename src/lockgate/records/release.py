"""A release: a signed statement that a package may serve, and on which evidence."""

import enum

import msgspec

from lockgate.kernel.canonical import Digest, Instant, Record

__all__ = ["Envelope", "KeyChange", "KeyDeed", "Release", "Signature"]


class Release(Record, tag="release/1", frozen=True, kw_only=True):
    """The statement. Its digest is the release's id; it is worth nothing without its envelope."""

    # The project's name, and its endpoint's.
    endpoint: str
    # Counts an endpoint's releases from 1; `v2` for people.
    number: int
    # The package.
    package: Digest
    # The training run it came from.
    training_run: Digest
    # What was measured about it.
    evidence: tuple[Digest, ...]
    # What the gates decided.
    verdicts: tuple[Digest, ...]
    # What a person said about verdicts that do not open: a waiver for each.
    waivers: tuple[Digest, ...] = ()
    # The commit that the project stood at; empty where the model was brought.
    commit: str
    # Whether files differed from that commit: such a release is marked for ever.
    dirty: bool
    # The walk that made it.
    line: str
    # Who released it.
    by: str
    # When, by the control clock.
    at: Instant

    @property
    def name(self) -> str:
        """Name it for people."""
        return f"v{self.number}"


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One signature of an envelope."""

    # sha256 of the public key's raw bytes, hexadecimal.
    keyid: str
    # The Ed25519 signature over the pre-authentication encoding, base64.
    sig: str


class Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A DSSE envelope (secure-systems-lab/dsse 1.0) around an in-toto statement about a package."""

    # The statement's bytes, base64.
    payload: str
    # `application/vnd.in-toto+json`.
    payload_type: str
    # Who stands for it.
    signatures: tuple[Signature, ...]


class KeyDeed(enum.Enum):
    """What was done with a key of an installation."""

    MADE = "made"  # here, to sign with
    REPLACED = "replaced"  # by one that was made after it; what it signed is still loaded
    TRUSTED = "trusted"  # what it signed is loaded here
    DISTRUSTED = "distrusted"  # what it signed is not loaded here any more


class KeyChange(Record, tag="key-change/1", frozen=True, kw_only=True):
    """Something that was done with a key, so that it can be said who is believed, since when, and by whose word."""

    # The installation.
    installation: str
    # The key's id.
    key: str
    # Its public half, as PEM.
    public_key: str
    # What was done.
    deed: KeyDeed
    # Whose key it is, in the words of who trusted it; empty for keys that were made here.
    name: str = ""
    # Who did it, and when by the control clock.
    by: str
    at: Instant
