"""Signed releases and waivers: Ed25519 over a DSSE envelope around an in-toto statement.

- A statement's subject is the package's digest; its predicate is the release, or the waiver.
- The payload is canonical JSON; what is signed is DSSE's pre-authentication encoding of it.
- Either is believed only if a key in the trust store signed these bytes; the check comes before any parsing.
- What was signed as the one is never believed as the other.
- A key's id is the sha256 of its 32 raw public bytes.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from lockgate.kernel.canonical import Record, canonical, parse
from lockgate.kernel.errors import Malformed, NotFound, Refused, Untrusted
from lockgate.kernel.folders import replace_file
from lockgate.records.release import Envelope, Release, Signature
from lockgate.records.waiver import Waiver

__all__ = ["Trust", "key_id", "make_key", "public_key", "public_pem", "sign", "signers", "signing_key"]

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPES: dict[type[Record], str] = {Release: "urn:lockgate:release:1", Waiver: "urn:lockgate:waiver:1"}

_PUBLIC = "PEM of an Ed25519 public key"

S = TypeVar("S", bound=Release | Waiver)


class _Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    digest: dict[str, str]


class _Statement(msgspec.Struct, Generic[S], frozen=True, forbid_unknown_fields=True, rename={"type": "_type"}):
    type: str
    subject: tuple[_Subject, ...]
    predicateType: str  # noqa: N815 - in-toto's spelling
    predicate: S


class Trust:
    """The public keys a server believes.

    Args:
        keys: public keys by key id.
    """

    def __init__(self, keys: dict[str, Ed25519PublicKey]) -> None:
        """Keep them."""
        self._keys = keys

    @classmethod
    def read(cls, folder: Path) -> "Trust":
        """Read a trust store: every `*.pub` (PEM) in a folder; none there, nothing is trusted."""
        return cls.of(sorted(folder.glob("*.pub")))

    @classmethod
    def of(cls, paths: Iterable[Path]) -> "Trust":
        """Trust the keys of some files (PEM).

        Raises:
            NotFound: a file can't be read.
            Malformed: one is no Ed25519 public key.
        """
        keys = [_read_public_key(path) for path in paths]
        return cls({key_id(key): key for key in keys})

    def without(self, key: str) -> "Trust":
        """Give the same trust but for a key, by its id."""
        return Trust({one: public for one, public in self._keys.items() if one != key})

    @property
    def keys(self) -> dict[str, Ed25519PublicKey]:
        """The public keys by key id."""
        return dict(self._keys)

    def verify(self, data: bytes) -> Release:
        """Give the release that an envelope's bytes carry.

        Raises:
            Untrusted: no trusted key signed it.
            Malformed: it was signed, but is no release.
        """
        return self._verified(data, Release)

    def verify_waiver(self, data: bytes) -> Waiver:
        """Give the waiver that an envelope's bytes carry.

        Raises:
            Untrusted: no trusted key signed it.
            Malformed: it was signed, but is no waiver.
        """
        return self._verified(data, Waiver)

    def _verified(self, data: bytes, kind: type[S]) -> S:
        what = kind.__name__.lower()
        payload, _ = self._signed_payload(_envelope(data, what), what)
        statement: _Statement[S] = parse(payload, _Statement[kind])  # type: ignore[valid-type]
        subject = {"sha256": statement.predicate.package.removeprefix("sha256:")}
        if (statement.type, statement.predicateType) != (STATEMENT_TYPE, PREDICATE_TYPES[kind]) or [
            one.digest for one in statement.subject
        ] != [subject]:
            msg = f"This statement is about something else than its {what}"
            raise Malformed(msg, expected=str(subject), found=str([one.digest for one in statement.subject]))
        return statement.predicate

    def signer(self, data: bytes) -> str:
        """Give the id of the trusted key that signed an envelope.

        Raises:
            Untrusted: none did.
        """
        return self._signed_payload(_envelope(data))[1]

    def _signed_payload(self, envelope: Envelope, what: str = "release") -> tuple[bytes, str]:
        """Give what was signed, and the id of the key that did."""
        try:
            payload = _decoded(envelope.payload)
            for signature in envelope.signatures:
                key = self._keys.get(signature.keyid)
                if key is not None:
                    key.verify(_decoded(signature.sig), _encoding(envelope.payload_type, payload))
                    return payload, signature.keyid
        except (InvalidSignature, ValueError) as error:
            msg = f"The signature of this {what} does not hold"
            raise Untrusted(msg, expected="the bytes that were signed", found="other bytes") from error
        known = ", ".join(key[:12] for key in self._keys)
        msg = f"Nobody who is trusted here signed this {what}"
        raise Untrusted(
            msg,
            expected=f"a signature by one of: {known or 'no key; the trust store is empty'}",
            found=", ".join(signature.keyid[:12] for signature in envelope.signatures) or "no signature",
            way_out="If you trust the signer, say so with their public key: lockgate key trust FILE --name WHOSE.",
        )


def sign(said: Release | Waiver, key: Ed25519PrivateKey) -> bytes:
    """Give the bytes of the signed envelope of a release or a waiver."""
    statement = _Statement(
        type=STATEMENT_TYPE,
        subject=(_Subject(said.endpoint, {"sha256": said.package.removeprefix("sha256:")}),),
        predicateType=PREDICATE_TYPES[type(said)],
        predicate=said,
    )
    payload = canonical(statement)
    signature = Signature(
        keyid=key_id(key.public_key()),
        sig=base64.b64encode(key.sign(_encoding(PAYLOAD_TYPE, payload))).decode(),
    )
    envelope = Envelope(payload=base64.b64encode(payload).decode(), payload_type=PAYLOAD_TYPE, signatures=(signature,))
    return canonical(envelope)


def make_key(private: Path, trust: Path) -> None:
    """Make a signing key (PEM, mode 0600) and put its public half into a trust store; an existing key is kept.

    The public half is put there only now: whoever takes it out does not trust the key any more.

    Raises:
        Malformed: what is there is no signing key.
    """
    if private.exists():
        signing_key(private)
        return
    key = Ed25519PrivateKey.generate()
    public = trust / f"{key_id(key.public_key())}.pub"
    private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = private.with_name(f".{private.name}.{secrets.token_hex(4)}")
    replace_file(draft, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
    try:
        # Trusted before it is there: a key that is there has always been trusted once.
        replace_file(public, public_pem(key.public_key()))
        os.link(draft, private)
    except FileExistsError:
        # Another process made one at the same moment; that one is kept, and ours is forgotten.
        public.unlink()
    finally:
        draft.unlink()


def signing_key(path: Path) -> Ed25519PrivateKey:
    """Read a signing key.

    Raises:
        NotFound: there is none.
        Malformed: it is none.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except FileNotFoundError as error:
        msg = f"There is no signing key at {path}"
        raise NotFound(msg, way_out="lockgate ship makes one the first time.") from error
    except ValueError as error:
        msg = f"{path} is no signing key"
        raise Malformed(msg, expected="PEM of an Ed25519 private key", found=str(error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        msg = f"{path} is no signing key"
        raise Malformed(msg, expected="PEM of an Ed25519 private key", found=type(key).__name__)
    return key


def public_key(data: bytes, name: str) -> Ed25519PublicKey:
    """Read the one public key that a PEM holds; `name` is what it is called where it is none.

    Raises:
        Refused: it is, or holds, a private key.
        Malformed: it is no Ed25519 public key, or several.
    """
    if b"PRIVATE KEY" in data:
        msg = f"{name} is a private key, and nothing was done with it"
        hint = "Whoever has it can sign in its owner's name. Ask for the public one: lockgate key show prints it."
        raise Refused(msg, expected=_PUBLIC, found="a private key", way_out=hint)
    hint = "lockgate key show prints it, in the installation that signs with it."
    if (blocks := data.count(b"-----BEGIN")) != 1:
        msg = f"{name} is no public key"
        raise Malformed(msg, expected=_PUBLIC, found=f"{blocks} blocks of PEM", way_out=hint)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        msg = f"{name} is no public key"
        raise Malformed(msg, expected=_PUBLIC, found=str(error), way_out=hint) from error
    if not isinstance(key, Ed25519PublicKey):
        msg = f"{name} is no Ed25519 public key"
        raise Malformed(msg, expected=_PUBLIC, found=type(key).__name__, way_out=hint)
    return key


def public_pem(key: Ed25519PublicKey) -> bytes:
    """Write a public key as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: Ed25519PublicKey) -> str:
    """Give the id of a key."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()


def signers(data: bytes) -> tuple[str, ...]:
    """Give the ids of the keys that an envelope says it was signed with; whether that is so, nobody looked.

    Raises:
        Untrusted: it is no envelope.
    """
    return tuple(signature.keyid for signature in _envelope(data).signatures)


def _read_public_key(path: Path) -> Ed25519PublicKey:
    try:
        return public_key(path.read_bytes(), str(path))
    except OSError as error:
        msg = f"The public key {path} can't be read"
        raise NotFound(msg, expected=_PUBLIC, found=str(error)) from error


def _envelope(data: bytes, what: str = "release") -> Envelope:
    try:
        return msgspec.json.decode(data, type=Envelope)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        msg = f"These bytes are no signed {what}"
        raise Untrusted(msg, expected="a DSSE envelope", found=str(error)) from error


def _decoded(text: str) -> bytes:
    """Decode base64 in its one form: texts that differ in bits that do not count are refused.

    Raises:
        ValueError: it is in no such form.
    """
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        msg = "base64 with bits that do not count"
        raise ValueError(msg)
    return data


def _encoding(payload_type: str, payload: bytes) -> bytes:
    """Give DSSE's pre-authentication encoding (protocol.md, PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
