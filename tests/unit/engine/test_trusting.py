"""Whom an installation believes: keys are replaced, trusted and taken out, and nothing stops answering unnoticed."""

import asyncio
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_curve_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from lockgate.cli.keys import read
from lockgate.engine.api.app import make_app
from lockgate.engine.delivery import current_plan
from lockgate.engine.installation import Installation, add_token
from lockgate.engine.reconcile import advance, open_again, open_import, watch
from lockgate.engine.runner import Runner
from lockgate.engine.status import ReleaseSeen, endpoint_status
from lockgate.engine.trusting import KeySeen, distrust, keys_of, new_key, refuse_unless_trusted, trust
from lockgate.engine.waiving import waive, waivers_of
from lockgate.kernel.access import Scope
from lockgate.kernel.errors import Conflict, Malformed, NotFound, Refused, Untrusted
from lockgate.packages.signing import Trust, key_id, public_pem, signing_key
from lockgate.records.line import LineEnd
from lockgate.records.release import KeyDeed
from tests.unit.engine.making import START, Clock, asked, bring, opened, write_rules

DAY = timedelta(days=1)
PLAIN = NoEncryption()


class Released(NamedTuple):
    """An installation that released a function once, under the key that it began with."""

    where: Installation
    clock: Clock
    walk: str
    key: str

    def ship_again(self) -> LineEnd:
        line = open_again(self.where, self.walk, rollout=True, attended=True, by="bob")
        assert advance(self.where, line)
        found = watch(self.where, line.id, 0).end
        assert found is not None
        return found

    def releases(self) -> list[ReleaseSeen]:
        return endpoint_status(self.where, "rules").releases

    def files(self) -> dict[str, bytes]:
        root = self.where.state.root
        return {str(path.relative_to(root)): path.read_bytes() for path in root.glob("*/*.p*") if path.is_file()}

    def changes(self) -> int:
        return sum(len(one.changes) for one in keys_of(self.where))


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    root = tmp_path_factory.mktemp("released")
    write_rules(root)
    with opened(root, Clock()) as where:
        return root, bring(where, root)


@pytest.fixture
def released(template: tuple[Path, str], tmp_path: Path) -> Iterator[Released]:
    shutil.copytree(template[0] / "state", tmp_path / "state")
    clock = Clock(START + DAY)
    with opened(tmp_path, clock) as where:
        yield Released(where, clock, template[1], keys_of(where)[0].key)


def public(key: Ed25519PrivateKey) -> str:
    return public_pem(key.public_key()).decode()


def stranger(where: Installation, name: str = "ada") -> KeySeen:
    return trust(where, public(Ed25519PrivateKey.generate()), name, by="root")


# --- replaced ---------------------------------------------------------------------------------------------------------


def test_a_new_key_signs_from_now_on_and_what_the_old_one_signed_is_still_believed(released: Released) -> None:
    where, before = released.where, released.where.state.signing_key.read_bytes()
    made = new_key(where, by="root")
    old = next(one for one in keys_of(where) if one.key == released.key)

    assert (made.signing, made.trusted, old.signing, old.trusted) == (True, True, False, True)
    assert old.live == ["rules v1"]
    assert released.releases()[0].signed_by == released.key
    assert [(one.deed, one.by, one.at) for one in made.changes] == [(KeyDeed.MADE, "root", released.clock.now)]
    assert [one.deed for one in old.changes] == [KeyDeed.REPLACED]
    assert key_id(signing_key(where.state.signing_key).public_key()) == made.key
    assert all(before not in data for data in released.files().values())


def test_private_keys_are_in_one_file_that_nobody_else_reads_and_in_no_answer(released: Released) -> None:
    answers = [new_key(released.where, by="root"), *keys_of(released.where)]
    state = released.where.state

    assert stat.S_IMODE(state.signing_key.stat().st_mode) == 0o600
    assert [path for path, data in released.files().items() if b"PRIVATE" in data] == ["keys/release.pem"]
    assert [path.name for path in state.signing_key.parent.iterdir()] == ["release.pem"]
    assert "PRIVATE" not in str(answers)


def test_what_is_shipped_again_is_signed_by_the_new_key_and_then_the_old_one_can_go(released: Released) -> None:
    made = new_key(released.where, by="root")
    assert released.ship_again().result == "released"
    second, first = released.releases()
    lost = distrust(released.where, released.key, even_if_live=False, by="root")

    assert (second.version, second.level, second.signed_by) == ("v2", "live", made.key)
    assert second.package == first.package
    assert (lost.live, lost.previous) == ([], ["rules v1"])
    assert [one.signed_by for one in released.releases()] == [made.key, ""]
    with pytest.raises(Untrusted, match="v1 was signed by nobody who is trusted here"):
        refuse_unless_trusted(released.where, first.release)


def test_what_is_live_and_signed_by_the_key_of_today_is_not_released_again(released: Released) -> None:
    assert released.ship_again().release == released.releases()[0].release
    new_key(released.where, by="root")
    anew = released.ship_again().release

    assert released.ship_again().release == anew
    assert len(released.releases()) == 2


def test_what_another_installation_signed_and_is_trusted_is_left_as_it_is(released: Released) -> None:
    """As where two share a ledger: neither signs again what the other one did."""
    ours = Ed25519PrivateKey.generate()
    released.where.state.signing_key.write_bytes(private(ours))
    trust(released.where, public(ours), "here", by="root")

    assert released.ship_again().release == released.releases()[0].release
    assert released.releases()[0].signed_by == released.key


def test_nothing_is_released_under_a_key_that_its_own_installation_does_not_trust(released: Released) -> None:
    for path in released.where.state.trust.iterdir():
        path.unlink()
    end = released.ship_again()

    assert end.result == "stopped"
    assert "does not trust the key that it signs with" in end.reason
    assert "lockgate key new" in end.reason
    new_key(released.where, by="root")
    assert released.ship_again().result == "released"


# --- trusted ----------------------------------------------------------------------------------------------------------


def test_a_colleagues_key_is_trusted_under_a_name_and_it_is_recorded_who_did_that(released: Released) -> None:
    key = Ed25519PrivateKey.generate()
    found = trust(released.where, public(key), "ada", by="root")

    assert (found.key, found.name, found.trusted, found.signing) == (key_id(key.public_key()), "ada", True, False)
    assert [(one.deed, one.name, one.by) for one in found.changes] == [(KeyDeed.TRUSTED, "ada", "root")]
    assert found.key in Trust.read(released.where.state.trust).keys
    assert trust(released.where, public(key), "ada", by="eve").changes == found.changes
    released.clock.now += DAY
    assert trust(released.where, public(key), "ada.at.home", by="eve").name == "ada.at.home"


def test_a_name_is_of_one_trusted_key(released: Released) -> None:
    first = stranger(released.where)
    with pytest.raises(Conflict, match="a trusted key named ada already"):
        stranger(released.where)
    distrust(released.where, "ada", even_if_live=False, by="root")

    assert stranger(released.where).key != first.key


def private(key: Ed25519PrivateKey, how: KeySerializationEncryption = PLAIN) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how)


def ssh(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, PLAIN)


def certificate(key: Ed25519PrivateKey) -> bytes:
    return public_pem(key.public_key()).replace(b"PUBLIC KEY", b"CERTIFICATE")


def curve(_: Ed25519PrivateKey) -> bytes:
    return new_curve_key(SECP256R1()).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def exchange(_: Ed25519PrivateKey) -> bytes:
    return X25519PrivateKey.generate().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


NO_KEYS: dict[str, tuple[Callable[[Ed25519PrivateKey], bytes], type[Refused], str]] = {
    "a private key": (private, Refused, "private key, and nothing was done"),
    "a locked private key": (lambda key: private(key, BestAvailableEncryption(b"x")), Refused, "is a private key"),
    "a private key of OpenSSH": (ssh, Refused, "is a private key"),
    "a private key behind a public one": (
        lambda key: public_pem(key.public_key()) + private(key),
        Refused,
        "is a private key",
    ),
    "a key of another kind": (curve, Malformed, "no Ed25519 public key"),
    "a key that can't sign": (exchange, Malformed, "no Ed25519 public key"),
    "a certificate": (certificate, Malformed, "no public key"),
    "two keys": (lambda key: public_pem(key.public_key()) * 2, Malformed, "2 blocks of PEM"),
    "a key of SSH": (lambda _: b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA ada@home", Malformed, "no public key"),
    "a cut key": (lambda key: public_pem(key.public_key())[:-30], Malformed, "no public key"),
    "nothing": (lambda _: b"", Malformed, "0 blocks of PEM"),
    "the path of a key": (lambda _: b"../keys/release.pem", Malformed, "no public key"),
}


@pytest.mark.parametrize("what", NO_KEYS)
def test_what_is_no_public_key_is_refused_with_a_way_out_and_changes_nothing(released: Released, what: str) -> None:
    make, kind, words = NO_KEYS[what]
    files, changes = released.files(), released.changes()
    with pytest.raises(kind) as refused:
        trust(released.where, make(Ed25519PrivateKey.generate()).decode(), "eve", by="root")

    assert words in str(refused.value)
    assert "lockgate key show prints it" in refused.value.way_out
    assert (released.files(), released.changes()) == (files, changes)


# --- distrusted -------------------------------------------------------------------------------------------------------


def test_a_key_that_something_live_rests_on_stays_unless_that_is_insisted_on(released: Released) -> None:
    new_key(released.where, by="root")
    files, changes = released.files(), released.changes()
    with pytest.raises(Conflict, match="rules v1 would not be loaded any more") as refused:
        distrust(released.where, released.key, even_if_live=False, by="root")
    assert "--even-if-live" in refused.value.way_out
    assert (released.files(), released.changes()) == (files, changes)
    lost = distrust(released.where, released.key, even_if_live=True, by="root")
    gone = next(one for one in keys_of(released.where) if one.key == released.key)

    assert lost.live == ["rules v1"]
    assert (gone.trusted, gone.changes[0].deed, gone.changes[0].by) == (False, KeyDeed.DISTRUSTED, "root")
    assert released.releases()[0].signed_by == ""
    # What was taken out by mistake is brought back with what is recorded of it.
    trust(released.where, gone.public_key, "old", by="root")
    assert released.releases()[0].signed_by == released.key


def test_what_nobody_who_is_trusted_signed_any_more_is_mended_by_shipping_it_again(released: Released) -> None:
    made = new_key(released.where, by="root")
    distrust(released.where, released.key, even_if_live=True, by="root")

    assert released.ship_again().result == "released"
    assert released.releases()[0].signed_by == made.key
    plan = current_plan(released.where, "rules")
    assert plan is not None
    assert plan.live == released.releases()[0].release


def test_the_key_that_is_signed_with_is_not_taken_out(released: Released) -> None:
    with pytest.raises(Refused, match="is what this installation signs with") as refused:
        distrust(released.where, released.key, even_if_live=True, by="root")

    assert "lockgate key new" in refused.value.way_out


@pytest.mark.parametrize("named", ["name", "id", "beginning", "BEGINNING"])
def test_a_key_is_meant_by_its_name_or_by_its_id(released: Released, named: str) -> None:
    key = stranger(released.where).key
    said = {"name": "ada", "id": key, "beginning": key[:8], "BEGINNING": key[:8].upper()}[named]

    assert distrust(released.where, said, even_if_live=False, by="root").key == key


@pytest.mark.parametrize("said", ["", "a", "ad", "*", "..", "../keys/release", "../../etc/passwd", "0" * 64, "ada.pub"])
def test_what_means_no_key_takes_none_out(released: Released, said: str) -> None:
    stranger(released.where)
    files = released.files()
    with pytest.raises(NotFound, match="No key that is trusted here"):
        distrust(released.where, said, even_if_live=True, by="root")

    assert released.files() == files


def test_what_could_mean_two_keys_takes_none_out(released: Released) -> None:
    first = stranger(released.where)
    stranger(released.where, name=first.key[:8])

    with pytest.raises(NotFound, match="Several keys"):
        distrust(released.where, first.key[:8], even_if_live=True, by="root")


def test_of_a_key_that_was_linked_into_the_store_the_link_goes_and_the_file_stays(
    released: Released, tmp_path: Path
) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "theirs.pem").write_text(public(key))
    trusted = released.where.state.trust
    (trusted / "linked.pub").symlink_to(tmp_path / "theirs.pem")
    (trusted / "copied.pub").write_text(public(key))
    distrust(released.where, key_id(key.public_key()), even_if_live=False, by="root")

    assert key_id(key.public_key()) not in Trust.read(trusted).keys
    assert (tmp_path / "theirs.pem").read_text() == public(key)


def test_a_waiver_counts_no_longer_than_its_key_is_trusted_and_is_named(
    template: tuple[Path, str], tmp_path: Path
) -> None:
    shutil.copytree(template[0] / "state", tmp_path / "state")
    with opened(tmp_path, Clock(START + DAY)) as where:
        line = open_import(where, asked(template[0], floors={"roc_auc": 0.999}), rollout=True, attended=True, by="bob")
        assert advance(where, line)
        waive(where, line.id, "metric roc_auc", "a pilot", START + 9 * DAY, by="ada")
        old, _ = keys_of(where)[0].key, new_key(where, by="root")
        lost = distrust(where, old, even_if_live=True, by="root")

        assert lost.waivers == ["rules: metric roc_auc"]
        assert waivers_of(where, "rules") == []


# --- over the API -----------------------------------------------------------------------------------------------------


def over_http(where: Installation, scope: Scope, method: str, path: str, body: object = None) -> httpx.Response:
    """Ask the API as a caller with one scope."""
    token = add_token(where.state, f"{scope.value}-{method}-{len(path)}", frozenset({scope}), None)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(make_app(where, Runner(where, attended=True)))
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as http:
            return await http.request(method, path, json=body)

    return asyncio.run(ask())


def test_everybody_who_may_read_sees_public_keys_and_only_those_who_administer_change_them(released: Released) -> None:
    given = {"public_key": public(Ed25519PrivateKey.generate()), "name": "ada"}
    changes: dict[str, object] = {
        "/api/v1/keys": {},
        "/api/v1/keys/trusted": given,
        f"/api/v1/keys/{released.key}/distrust": {},
    }
    seen = over_http(released.where, Scope.READ, "GET", "/api/v1/keys")
    assert [one["key"] for one in seen.json()] == [released.key]
    assert "PRIVATE" not in seen.text
    for path, body in changes.items():
        assert over_http(released.where, Scope.RELEASE, "POST", path, body).status_code == 403
    assert released.changes() == 0
    answers = [over_http(released.where, Scope.ADMIN, "POST", path, body) for path, body in changes.items()]

    assert [one.status_code for one in answers] == [201, 201, 409]
    assert "rules v1 would not be loaded any more" in answers[2].json()["title"]
    assert {one.by for key in keys_of(released.where) for one in key.changes} == {"admin-POST-12", "admin-POST-20"}


@pytest.mark.parametrize("name", ["", "../ada", "a/b", "a b", "a" * 65, "ada\n", "[red]ada"])
def test_a_name_is_a_short_word(released: Released, name: str) -> None:
    body = {"public_key": public(Ed25519PrivateKey.generate()), "name": name}
    answer = over_http(released.where, Scope.ADMIN, "POST", "/api/v1/keys/trusted", body)

    assert answer.status_code == 422
    assert released.changes() == 0


def test_going_back_to_what_nobody_who_is_trusted_signed_is_refused_with_the_way_out(released: Released) -> None:
    where = released.where
    new_key(where, by="root")
    released.ship_again()
    gone = distrust(where, released.key, even_if_live=False, by="root")
    before = current_plan(where, "rules")
    pem = next(one.public_key for one in keys_of(where) if one.key == gone.key)
    path, body = "/api/v1/endpoints/rules/rollback", {"reason": "it is wrong"}
    refused = over_http(where, Scope.RELEASE, "POST", path, body)

    assert refused.status_code == 403
    assert "lockgate key trust FILE" in refused.json()["way_out"]
    assert current_plan(where, "rules") == before
    trust(where, pem, "old", by="root")
    assert over_http(where, Scope.ADMIN, "POST", path, body).status_code == 200


@pytest.mark.parametrize("what", NO_KEYS)
def test_a_file_that_is_no_public_key_is_not_sent_anywhere(tmp_path: Path, what: str) -> None:
    make, kind, words = NO_KEYS[what]
    (tmp_path / "given").write_bytes(make(Ed25519PrivateKey.generate()))

    with pytest.raises(kind, match=re.escape(words)):
        read(tmp_path / "given")


def test_a_file_that_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / "nothing", Path("/dev/zero")):
        with pytest.raises(NotFound, match="can't be read"):
            read(path)
