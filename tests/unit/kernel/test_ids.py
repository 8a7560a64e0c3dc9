"""Ids of one worker ascend, whatever the clock does, and say when and by whom they were made."""

import uuid
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.ids import WORKERS, IdMaker, IdParts, id_parts

NOW = 1_362_124_800_000
SEQUENCES = 4096

CLOCKS = st.lists(st.tuples(st.integers(1, 40), st.integers(NOW - 50, NOW + 50)), min_size=1, max_size=20)


def numbers(ids: list[str]) -> list[int]:
    return [uuid.UUID(text).int for text in ids]


@given(worker=st.integers(0, WORKERS - 1), batches=CLOCKS)
def test_ids_of_a_worker_ascend_also_when_the_clock_goes_back(worker: int, batches: list[tuple[int, int]]) -> None:
    maker = IdMaker(worker)
    made = [text for count, moment in batches for text in maker.make(count, moment)]

    assert all(a < b for a, b in pairwise(made))
    assert all(a < b for a, b in pairwise(numbers(made)))
    assert len({text[:18] for text in made}) == len(made)  # told apart by time and sequence, not by luck


@given(worker=st.integers(0, WORKERS - 1), moment=st.integers(1, 2**47))
def test_an_id_is_a_uuid_of_version_7_and_says_when_and_by_whom(worker: int, moment: int) -> None:
    (made,) = IdMaker(worker).make(1, moment)
    read = uuid.UUID(made)

    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert str(read) == made
    assert read.int >> 80 == moment
    assert id_parts(made) == IdParts(moment, 0, worker)


@pytest.mark.parametrize("count", [SEQUENCES, SEQUENCES + 1, 3 * SEQUENCES])
def test_a_full_millisecond_carries_into_the_next(count: int) -> None:
    maker = IdMaker(5)
    made = maker.make(count, NOW)
    parts = [found for text in made if (found := id_parts(text)) is not None]

    assert len(parts) == count
    assert all(a < b for a, b in pairwise(made))
    assert [part.milliseconds - NOW for part in parts] == [place // SEQUENCES for place in range(count)]
    assert [part.sequence for part in parts] == [place % SEQUENCES for place in range(count)]
    # The clock has not caught up yet: the next one still comes after.
    assert maker.make(1, NOW)[0] > made[-1]


def test_after_a_restart_ids_go_on_after_the_last_one_though_the_clock_was_set_back() -> None:
    last = IdMaker(3).make(10, NOW)[-1]
    next_one = IdMaker(3, after=last).make(1, NOW - 60_000)[0]

    assert next_one > last
    assert id_parts(next_one) == IdParts(NOW, 10, 3)


def test_two_workers_never_make_the_same_id() -> None:
    made = [text for worker in (0, 1, WORKERS - 1) for text in IdMaker(worker).make(1000, NOW)]

    assert len(set(made)) == len(made)


@pytest.mark.parametrize("worker", [-1, WORKERS])
def test_a_worker_has_a_number_that_fits(worker: int) -> None:
    with pytest.raises(ValueError, match="numbered 0 to 16383"):
        IdMaker(worker)


NO_IDS = {
    "nothing": "",
    "no UUID": "flight-1",
    "a random UUID": str(uuid.UUID(int=2**127 + 4, version=4)),
    "version 7 of another variant": "013d2528-6400-7000-c000-000000000000",
    "capitals": "013D2528-6400-7000-8000-00000000000A",
    "a line break at the end": "013d2528-6400-7000-8000-000000000000\n",
    "no hyphens": "013d2528640070008000000000000000",
    "digits that are not ASCII": "\N{FULLWIDTH DIGIT ZERO}13d2528-6400-7000-8000-000000000000",
}


@pytest.mark.parametrize("what", NO_IDS)
def test_other_text_is_no_id(what: str) -> None:
    assert id_parts(NO_IDS[what]) is None
