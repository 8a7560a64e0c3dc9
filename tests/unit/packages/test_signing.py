"""A release counts only if somebody who is trusted signed these very bytes."""

import base64
import contextlib
import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.canonical import canonical, sha256
from lockgate.kernel.errors import Malformed, NotFound, Untrusted
from lockgate.packages.signing import Trust, make_key, sign, signing_key
from lockgate.records.release import Release
from lockgate.records.waiver import Waiver
from tests.making.package import NAME, START

RELEASE = Release(
    endpoint=NAME,
    number=3,
    package=sha256(b"package"),
    training_run=sha256(b"run"),
    evidence=(sha256(b"metrics"),),
    verdicts=(sha256(b"verdict"),),
    commit="0" * 40,
    dirty=False,
    line="line-1",
    by="Zo\N{LATIN SMALL LETTER E WITH DIAERESIS}",
    at=START,
)
KIND = "application/vnd.in-toto+json"


@functools.cache
def own() -> tuple[Ed25519PrivateKey, Trust]:
    """Give a key, and a trust store that holds its public half."""
    with TemporaryDirectory() as folder:
        make_key(Path(folder) / "key.pem", Path(folder) / "trust")
        return signing_key(Path(folder) / "key.pem"), Trust.read(Path(folder) / "trust")


def signed_by(key: Ed25519PrivateKey, payload: bytes, kind: str = KIND) -> bytes:
    """Sign any payload, as DSSE says, without the code that is tested."""
    keyid = json.loads(sign(RELEASE, key))["signatures"][0]["keyid"]
    said = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    return json.dumps(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": kind,
            "signatures": [{"keyid": keyid, "sig": base64.b64encode(key.sign(said)).decode()}],
        }
    ).encode()


def statement() -> dict[str, Any]:
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": NAME, "digest": {"sha256": RELEASE.package.removeprefix("sha256:")}}],
        "predicateType": "urn:lockgate:release:1",
        "predicate": json.loads(canonical(RELEASE)),
    }


def edited(data: bytes, **changes: object) -> bytes:
    return json.dumps(json.loads(data) | changes).encode()


def repayload(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """Change what an envelope says, and leave its signature."""
    told = json.loads(base64.b64decode(json.loads(data)["payload"]))
    change(told)
    return edited(data, payload=base64.b64encode(canonical(told)).decode())


def test_what_was_signed_is_believed() -> None:
    key, trust = own()

    assert trust.verify(sign(RELEASE, key)) == RELEASE
    assert sign(RELEASE, key) == sign(RELEASE, key)


def test_an_envelope_is_what_the_specification_says() -> None:
    key, trust = own()

    assert json.loads(base64.b64decode(json.loads(sign(RELEASE, key))["payload"])) == statement()
    assert json.loads(signed_by(key, canonical(statement()))) == json.loads(sign(RELEASE, key))
    assert trust.verify(signed_by(key, canonical(statement()))) == RELEASE


def test_a_stranger_is_not_believed() -> None:
    _, trust = own()

    with pytest.raises(Untrusted, match="Nobody who is trusted here"):
        trust.verify(sign(RELEASE, Ed25519PrivateKey.generate()))


def test_a_stranger_under_a_trusted_name_is_not_believed() -> None:
    key, trust = own()
    mine, theirs = json.loads(sign(RELEASE, key)), json.loads(sign(RELEASE, Ed25519PrivateKey.generate()))
    theirs["signatures"][0]["keyid"] = mine["signatures"][0]["keyid"]

    with pytest.raises(Untrusted, match="does not hold"):
        trust.verify(json.dumps(theirs).encode())


def test_one_trusted_signature_among_strangers_is_enough() -> None:
    key, trust = own()
    mine, theirs = json.loads(sign(RELEASE, key)), json.loads(sign(RELEASE, Ed25519PrivateKey.generate()))

    assert trust.verify(edited(sign(RELEASE, key), signatures=theirs["signatures"] + mine["signatures"])) == RELEASE


@pytest.mark.parametrize("there", [True, False], ids=["an empty folder", "no folder"])
def test_an_empty_trust_store_trusts_nobody(tmp_path: Path, there: bool) -> None:
    if there:
        (tmp_path / "trust").mkdir()
        (tmp_path / "trust" / "README").write_text("no key")
    key, _ = own()

    with pytest.raises(Untrusted, match="the trust store is empty"):
        Trust.read(tmp_path / "trust").verify(sign(RELEASE, key))


EDITS: dict[str, Callable[[bytes], bytes]] = {
    "another number": lambda data: repayload(data, lambda told: told["predicate"].update(number=4)),
    "another package": lambda data: repayload(data, lambda told: told["predicate"].update(package=sha256(b"x"))),
    "another package and subject": lambda data: repayload(
        data,
        lambda told: (
            told["predicate"].update(package=sha256(b"x")),
            told["subject"][0].update(digest={"sha256": sha256(b"x").removeprefix("sha256:")}),
        ),
    ),
    "no payload": lambda data: edited(data, payload=""),
    "a payload that is no base64": lambda data: edited(data, payload="*"),
    "a payload that nobody could parse": lambda data: edited(data, payload=base64.b64encode(b"{").decode()),
    "another type of payload": lambda data: edited(data, payloadType="application/json"),
    "no signature": lambda data: edited(data, signatures=[]),
    "a signature of nothing": lambda data: edited(data, signatures=[json.loads(data)["signatures"][0] | {"sig": ""}]),
    "a signature that is no base64": lambda data: edited(
        data, signatures=[json.loads(data)["signatures"][0] | {"sig": "*"}]
    ),
    "a field that nobody knows": lambda data: edited(data, more=1),
    "no envelope": lambda _: b"[]",
    "no JSON": lambda _: b"{",
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("what", EDITS)
def test_an_envelope_that_was_edited_is_untrusted_and_not_parsed(what: str) -> None:
    key, trust = own()

    with pytest.raises(Untrusted):
        trust.verify(EDITS[what](sign(RELEASE, key)))


@given(place=st.integers(0, len(sign(RELEASE, own()[0])) - 1), bit=st.integers(0, 6))
def test_a_flipped_bit_anywhere_is_refused_or_changes_nothing(place: int, bit: int) -> None:
    key, trust = own()
    data = bytearray(sign(RELEASE, key))
    data[place] ^= 1 << bit

    # Some bits at the end of base64 say nothing: with them flipped the bytes that were signed are the same.
    with contextlib.suppress(Untrusted):
        assert trust.verify(bytes(data)) == RELEASE


BEYOND_ASCII: dict[str, Callable[[bytes], bytes]] = {
    "a payload": lambda data: edited(data, payload="\N{LATIN SMALL LETTER E WITH ACUTE}"),
    "a signature": lambda data: edited(
        data, signatures=[json.loads(data)["signatures"][0] | {"sig": "\N{LATIN SMALL LETTER E WITH ACUTE}"}]
    ),
    "bytes that are no text": lambda data: data.replace(KIND.encode(), b"\xff"),
}


@pytest.mark.parametrize("what", BEYOND_ASCII)
def test_an_envelope_beyond_ascii_is_untrusted(what: str) -> None:
    key, trust = own()

    with pytest.raises(Untrusted):
        trust.verify(BEYOND_ASCII[what](sign(RELEASE, key)))


OTHERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "about another package": lambda told: told["subject"][0].update(digest={"sha256": "0" * 64}),
    "about two packages": lambda told: told["subject"].append(told["subject"][0]),
    "about nothing": lambda told: told.update(subject=[]),
    "about its package by another digest too": lambda told: told["subject"][0]["digest"].update(sha1="0" * 40),
    "of another type": lambda told: told.update(_type="https://in-toto.io/Statement/v0.1"),
    "with another predicate": lambda told: told.update(predicateType="urn:lockgate:release:2"),
    "with a release of another version": lambda told: told["predicate"].update(type="release/2"),
    "with a release that lacks its package": lambda told: told["predicate"].pop("package"),
    "with something that nobody knows": lambda told: told.update(more=1),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_statement_that_is_signed_but_is_no_statement_of_this_release_is_malformed(what: str) -> None:
    key, trust = own()
    told = statement()
    OTHERS[what](told)

    with pytest.raises(Malformed):
        trust.verify(signed_by(key, canonical(told)))


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null"])
def test_signed_bytes_that_are_no_statement_are_malformed(payload: bytes) -> None:
    key, trust = own()

    with pytest.raises(Malformed):
        trust.verify(signed_by(key, payload))


def test_a_key_that_is_there_is_kept_and_not_trusted_again_once_it_was_taken_out(tmp_path: Path) -> None:
    key = tmp_path / "keys" / "release.pem"
    make_key(key, tmp_path / "trust")
    before = key.read_bytes()
    signed = sign(RELEASE, signing_key(key))
    make_key(key, tmp_path / "trust")

    assert key.read_bytes() == before
    (public,) = (tmp_path / "trust").iterdir()
    assert Trust.read(tmp_path / "trust").verify(signed) == RELEASE
    public.unlink()
    make_key(key, tmp_path / "trust")
    with pytest.raises(Untrusted):
        Trust.read(tmp_path / "trust").verify(signed)


def test_two_keys_are_two(tmp_path: Path) -> None:
    make_key(tmp_path / "one.pem", tmp_path / "trust")
    make_key(tmp_path / "two.pem", tmp_path / "trust")
    trust = Trust.read(tmp_path / "trust")

    assert (tmp_path / "one.pem").read_bytes() != (tmp_path / "two.pem").read_bytes()
    assert [trust.verify(sign(RELEASE, signing_key(tmp_path / f"{name}.pem"))) for name in ("one", "two")] == [
        RELEASE
    ] * 2


def test_a_signing_key_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make_key(tmp_path / "keys" / "release.pem", tmp_path / "trust")
    finally:
        os.umask(before)

    assert (tmp_path / "keys" / "release.pem").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


def test_a_key_that_is_no_longer_in_the_trust_store_is_no_longer_trusted(tmp_path: Path) -> None:
    make_key(tmp_path / "key.pem", tmp_path / "trust")
    (public,) = (tmp_path / "trust").iterdir()
    public.unlink()

    with pytest.raises(Untrusted):
        Trust.read(tmp_path / "trust").verify(sign(RELEASE, signing_key(tmp_path / "key.pem")))


def curve_key() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def curve_public() -> bytes:
    return generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("data", [b"", b"no key", curve_key()], ids=["nothing", "no key", "a key of another kind"])
def test_what_is_no_signing_key_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key.pem").write_bytes(data)

    with pytest.raises(Malformed, match="is no signing key"):
        signing_key(tmp_path / "key.pem")
    with pytest.raises(Malformed):
        make_key(tmp_path / "key.pem", tmp_path / "trust")
    assert (tmp_path / "key.pem").read_bytes() == data


@pytest.mark.parametrize("data", [b"", b"no key", curve_public()], ids=["nothing", "no key", "a key of another kind"])
def test_a_trust_store_with_something_else_in_it_is_refused(tmp_path: Path, data: bytes) -> None:
    make_key(tmp_path / "key.pem", tmp_path / "trust")
    (tmp_path / "trust" / "odd.pub").write_bytes(data)

    with pytest.raises(Malformed, match=r"odd\.pub"):
        Trust.read(tmp_path / "trust")


def test_no_signing_key_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no signing key"):
        signing_key(tmp_path / "key.pem")


def test_a_release_is_signed_as_a_whole() -> None:
    key, trust = own()
    fields: dict[str, object] = {"number": 4, "endpoint": "other", "dirty": True, "evidence": (), "by": "x"}

    for name, value in fields.items():
        other = msgspec.structs.replace(RELEASE, **{name: value})
        assert trust.verify(sign(other, key)) == other
        assert sign(other, key) != sign(RELEASE, key)


WAIVER = Waiver(
    endpoint=NAME, package=RELEASE.package, gate="metric roc_auc", reason="a pilot", until=START, by="ada", at=START
)


def test_a_waiver_is_signed_like_a_release_under_a_type_of_its_own() -> None:
    key, trust = own()
    told = json.loads(base64.b64decode(json.loads(sign(WAIVER, key))["payload"]))

    assert trust.verify_waiver(sign(WAIVER, key)) == WAIVER
    assert told["predicateType"] == "urn:lockgate:waiver:1"
    assert told["subject"] == [{"name": NAME, "digest": {"sha256": WAIVER.package.removeprefix("sha256:")}}]
    with pytest.raises(Untrusted, match="signed this waiver"):
        trust.verify_waiver(sign(WAIVER, Ed25519PrivateKey.generate()))


def test_what_was_signed_as_the_one_is_not_believed_as_the_other() -> None:
    key, trust = own()

    with pytest.raises(Malformed):
        trust.verify(sign(WAIVER, key))
    with pytest.raises(Malformed):
        trust.verify_waiver(sign(RELEASE, key))


@pytest.mark.parametrize("kind", ["urn:lockgate:release:1", "urn:lockgate:waiver:2", ""])
def test_a_waiver_under_another_type_is_refused(kind: str) -> None:
    key, trust = own()
    told = statement() | {"predicateType": kind, "predicate": json.loads(canonical(WAIVER))}

    with pytest.raises(Malformed, match="something else than its waiver"):
        trust.verify_waiver(signed_by(key, canonical(told)))
