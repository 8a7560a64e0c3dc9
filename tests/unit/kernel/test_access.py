"""Who may do what: a token works until it expires, for what it allows, and nothing says why it did not."""

import hashlib
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from lockgate.kernel.access import Access, Grant, Scope, mint
from lockgate.kernel.errors import Forbidden, Unauthenticated

NOW = datetime(2013, 3, 1, 8, tzinfo=UTC)
TOKEN, GRANT = mint("ada", frozenset({Scope.PREDICT, Scope.READ}), NOW + timedelta(hours=1))
ADMIN_TOKEN, ADMIN = mint("root", frozenset({Scope.ADMIN}))
BARE_TOKEN, BARE = mint("nobody", frozenset())
ACCESS = Access((GRANT, ADMIN, BARE))


def test_a_caller_is_named_by_the_grant_of_the_token() -> None:
    assert ACCESS.check(f"Bearer {TOKEN}", Scope.PREDICT, NOW) == "ada"
    assert ACCESS.check(f"bearer {TOKEN}", Scope.READ, NOW) == "ada"
    assert ACCESS.check(f"Bearer {ADMIN_TOKEN}", Scope.PREDICT, NOW) == "root"


@pytest.mark.parametrize("scope", list(Scope))
def test_a_token_allows_its_scopes_and_no_other_and_admin_allows_all(scope: Scope) -> None:
    assert ACCESS.check(f"Bearer {ADMIN_TOKEN}", scope, NOW) == "root"
    if scope in GRANT.scopes:
        assert ACCESS.check(f"Bearer {TOKEN}", scope, NOW) == "ada"
        return
    with pytest.raises(Forbidden) as refused:
        ACCESS.check(f"Bearer {TOKEN}", scope, NOW)
    assert refused.value.expected == f"a token with scope '{scope.value}'"
    assert refused.value.found == "predict, read"


def test_a_token_without_a_scope_allows_nothing() -> None:
    with pytest.raises(Forbidden) as refused:
        ACCESS.check(f"Bearer {BARE_TOKEN}", Scope.READ, NOW)

    assert refused.value.found == "no scope"


def test_a_token_works_until_its_end_and_not_at_it() -> None:
    assert ACCESS.check(f"Bearer {TOKEN}", Scope.READ, NOW + timedelta(hours=1) - timedelta(microseconds=1)) == "ada"
    with pytest.raises(Unauthenticated):
        ACCESS.check(f"Bearer {TOKEN}", Scope.READ, NOW + timedelta(hours=1))


REFUSED = {
    "no header": None,
    "an empty header": "",
    "the word alone": "Bearer",
    "the word and a space": "Bearer ",
    "an unknown token": f"Bearer {TOKEN}x",
    "the beginning of a token": f"Bearer {TOKEN[:-1]}",
    "the token without the word": TOKEN,
    "another scheme": f"Basic {TOKEN}",
    "the fingerprint instead of the token": f"Bearer {GRANT.token_sha256}",
    "text beyond ASCII": "Bearer \N{SNOWMAN}",
}


@pytest.mark.parametrize("what", REFUSED)
def test_whoever_is_not_known_is_refused(what: str) -> None:
    with pytest.raises(Unauthenticated):
        ACCESS.check(REFUSED[what], Scope.READ, NOW)


def test_an_unknown_token_and_an_expired_one_get_the_same_answer() -> None:
    answers = []
    for token, now in ((f"{TOKEN}x", NOW), (TOKEN, NOW + timedelta(days=1))):
        with pytest.raises(Unauthenticated) as refused:
            ACCESS.check(f"Bearer {token}", Scope.READ, now)
        answers.append(refused.value.problem())

    assert answers[0] == answers[1]
    assert TOKEN not in str(answers)


def test_a_grant_holds_no_secret_and_is_read_back() -> None:
    written = msgspec.json.encode(GRANT)

    assert TOKEN.encode() not in written
    assert TOKEN.removeprefix("lg_").encode() not in written
    assert hashlib.sha256(TOKEN.encode()).hexdigest() == GRANT.token_sha256
    assert msgspec.json.decode(written, type=Grant) == GRANT


def test_tokens_are_long_and_never_the_same() -> None:
    made = {mint("x", frozenset())[0] for _ in range(100)}

    assert len(made) == 100
    assert min(map(len, made)) >= 40


def test_nobody_is_let_in_where_there_are_no_grants() -> None:
    with pytest.raises(Unauthenticated):
        Access(()).check(f"Bearer {TOKEN}", Scope.READ, NOW)
