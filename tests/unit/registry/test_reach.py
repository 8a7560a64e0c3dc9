"""What is reached is never given up, and what is not reached and old enough always is; for each there is a proof."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.canonical import Digest, canonical, digest_of, sha256
from lockgate.ledger.protocols import Blob
from lockgate.records.line import Tree
from lockgate.registry.reach import given_up, mentioned_in, path_to, reach, resting_on

NOW = datetime(2026, 6, 1, tzinfo=UTC)
NAMES = [sha256(bytes([number])) for number in range(16)]

names = st.sampled_from(NAMES)
graphs = st.dictionaries(names, st.sets(names, max_size=4))
ages = st.dictionaries(names, st.integers(0, 4).map(lambda days: NOW - timedelta(days=days)))


def closed(roots: set[Digest], mentions: dict[Digest, set[Digest]]) -> set[Digest]:
    """Give what is reached, the slow way: add what is mentioned until nothing more comes."""
    found = set(roots)
    while more := {one for name in found for one in mentions.get(name, ())} - found:
        found |= more
    return found


def stored(at: dict[Digest, datetime]) -> list[Blob]:
    return [Blob(digest=digest, bytes=1, at=moment) for digest, moment in at.items()]


@given(st.sets(names), graphs, ages)
def test_nothing_reachable_is_given_up_and_all_else_that_is_old_enough_is(
    roots: set[Digest], mentions: dict[Digest, set[Digest]], at: dict[Digest, datetime]
) -> None:
    before = NOW - timedelta(days=1)
    gone = {one.digest for one in given_up(stored(at), reach(sorted(roots), mentions), before)}

    assert gone == {digest for digest, moment in at.items() if moment < before} - closed(roots, mentions)


@given(st.sets(names), graphs)
def test_every_path_leads_from_a_root_from_mention_to_mention(
    roots: set[Digest], mentions: dict[Digest, set[Digest]]
) -> None:
    came_from = reach(sorted(roots), mentions)

    assert set(came_from) == closed(roots, mentions)
    for name in came_from:
        path = path_to(name, came_from)
        assert path[0] in roots
        assert path[-1] == name
        assert all(after in mentions[before] for before, after in pairwise(path))


@given(st.sets(names), graphs, st.sets(names))
def test_what_rests_on_what_goes_is_never_reached_itself(
    roots: set[Digest], mentions: dict[Digest, set[Digest]], asked: set[Digest]
) -> None:
    reached = reach(sorted(roots), mentions)
    gone = asked - set(reached)
    resting = resting_on(gone, mentions)

    assert not resting & set(reached)
    assert resting == {name for name in {*mentions, *gone} if closed({name}, mentions) & gone}


def test_what_is_not_reached_has_no_path() -> None:
    assert path_to(NAMES[0], reach([NAMES[1]], {})) == ()


def test_every_digest_in_a_record_is_a_mention_wherever_it_stands() -> None:
    tree = Tree(files={"a.py": NAMES[0], f"odd {NAMES[1]} name": NAMES[2], "b.py": NAMES[0]})

    assert mentioned_in(canonical(tree)) == {NAMES[0], NAMES[1], NAMES[2]}
    assert mentioned_in(digest_of(tree)[:-1].encode()) == frozenset()
