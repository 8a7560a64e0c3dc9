"""The last word counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.predictionlog.outcomes import last_words, rank, target_of
from lockgate.records.outcome import Outcome
from tests.unit.predictionlog.making import outcome


def word(value: float, revision: int | None, received_at: int) -> Outcome:
    return outcome(id_="a", value=value, revision=revision, received_at=received_at)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([(0, None, 1), (1, None, 2)], id="the last received counts"),
        pytest.param([(1, None, 2), (0, None, 1)], id="though it stands first in the log"),
        pytest.param([(0, None, 1), (1, None, 1)], id="of one microsecond the later in the log"),
        pytest.param([(1, 2, 1), (0, 1, 9)], id="the highest revision counts, though received earlier"),
        pytest.param([(1, 1, 1), (0, None, 9)], id="a revision beats none"),
        pytest.param([(1, -1, 1), (0, None, 9)], id="even one below zero"),
        pytest.param([(0, 0, 1), (1, 0, 2)], id="of one revision the last received"),
        pytest.param([(0, -2, 9), (1, -1, 1)], id="revisions below zero ascend too"),
    ],
)
def test_the_last_word_is(words: list[tuple[float, int | None, int]]) -> None:
    assert last_words(word(*each) for each in words)["a"].value == 1


def test_targets_are_ids_or_keys_with_a_time_and_types_of_keys_are_told_apart() -> None:
    words = [
        outcome(id_="1"),
        outcome(key=1, asked_at=5),
        outcome(key="1", asked_at=5),
        outcome(key=1, asked_at=6),
        outcome(id_="2", key=1, asked_at=5),
    ]

    assert list(last_words(words)) == ["1", (1, 5), ("1", 5), (1, 6), "2"]


def test_last_words_keep_the_order_of_the_log() -> None:
    words = [outcome(id_="a"), outcome(id_="b"), outcome(id_="a")]

    assert list(last_words(words)) == ["b", "a"]


WORD = st.builds(
    outcome,
    id_=st.sampled_from(["a", "b"]),
    value=st.floats(0, 1),
    revision=st.none() | st.integers(-2, 2),
    received_at=st.integers(0, 3),
)


@given(st.lists(WORD, max_size=12))
def test_no_word_on_a_target_ranks_above_the_last(words: list[Outcome]) -> None:
    last = last_words(words)

    assert set(last) == {target_of(each) for each in words}
    for place, each in enumerate(words):
        final = last[target_of(each)]
        assert rank(each) <= rank(final)
        later = [other for other in words[place + 1 :] if target_of(other) == target_of(each)]
        assert final is not each or not [other for other in later if rank(other) == rank(each)]
