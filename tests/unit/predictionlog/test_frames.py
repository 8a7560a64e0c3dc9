"""The frames say what the log says: nothing is matched that does not belong, nothing is lost."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.kernel.errors import Malformed
from lockgate.predictionlog.frames import joined, outcome_frame, prediction_frame, unmatched
from lockgate.predictionlog.outcomes import rank
from lockgate.records.outcome import Outcome
from lockgate.records.prediction import Prediction
from tests.unit.predictionlog.making import (
    MICROSECONDS,
    START,
    ids,
    log_outcomes,
    log_predictions,
    outcome,
    prediction,
)

A, B, C = ids(3)
LATER = MICROSECONDS + 60_000_000


def told(folder: Path) -> dict[str, float | None]:
    return dict(joined(folder).select("id", "outcome").iter_rows())


def lost(folder: Path) -> int:
    return unmatched(prediction_frame(folder), outcome_frame(folder))


def test_a_prediction_is_a_row(tmp_path: Path) -> None:
    log_predictions(tmp_path, [prediction(A), prediction(B, key=7, row=("LGA", 2.0, 3, False))])
    frame = prediction_frame(tmp_path, ("origin", "distance", "stops", "late"))

    assert frame["id"].to_list() == [A, B]
    assert frame["release"][0] == bytes(range(32)).hex()
    assert frame.select("key", "key_type").rows() == [("UA-1", "str"), ("7", "int")]
    assert frame["asked_at"][0] == datetime(2013, 3, 1, 8, tzinfo=UTC)
    assert frame["asked_at"].dtype == frame["received_at"].dtype == pl.Datetime("us", "UTC")
    assert frame.select("plan", "score", "value", "by").row(0) == (3, 0.25, 0.0, "tests")
    assert frame.select("^row\\..*$").to_dict(as_series=False) == {
        "row.origin": ["EWR", "LGA"],
        "row.distance": [1.5, 2.0],
        "row.stops": [None, 3],
        "row.late": [True, False],
    }


def test_a_row_of_another_contract_is_refused(tmp_path: Path) -> None:
    log_predictions(tmp_path, [prediction(A)])

    with pytest.raises(Malformed, match="expected 1 fields: origin, found 4 fields, release 000102030405"):
        prediction_frame(tmp_path, ("origin",))


def test_an_empty_log_gives_empty_frames_of_the_same_shape(tmp_path: Path) -> None:
    empty = joined(tmp_path / "empty")
    log_predictions(tmp_path, [prediction(A)])
    log_outcomes(tmp_path, [outcome(id_=A)])

    assert empty.height == 0
    assert empty.schema == joined(tmp_path).schema


def test_only_predictions_since_a_moment(tmp_path: Path) -> None:
    log_predictions(tmp_path, [prediction(A), prediction(B, received_at=LATER)])

    assert prediction_frame(tmp_path, since=START + timedelta(seconds=60))["id"].to_list() == [B]
    assert prediction_frame(tmp_path, since=START)["id"].to_list() == [A, B]


def test_outcomes_by_id(tmp_path: Path) -> None:
    log_predictions(tmp_path, [prediction(A), prediction(B)])
    log_outcomes(tmp_path, [outcome(id_=B, value=True, revision=4)])

    rows = joined(tmp_path).select("outcome", "observed_at", "revision").rows()
    assert rows == [(None, None, None), (1.0, START, 4)]


def test_an_outcome_by_key_belongs_to_every_prediction_of_that_key_and_time(tmp_path: Path) -> None:
    log_predictions(tmp_path, [prediction(A), prediction(B), prediction(C, asked_at=LATER)])
    log_outcomes(tmp_path, [outcome(key="UA-1", asked_at=MICROSECONDS)])

    assert told(tmp_path) == {A: 1.0, B: 1.0, C: None}


def test_the_keys_1_and_text_1_do_not_meet(tmp_path: Path) -> None:
    log_predictions(tmp_path, [prediction(A, key=1), prediction(B, key="1")])
    log_outcomes(tmp_path, [outcome(key=1, asked_at=MICROSECONDS, value=1.0)])
    log_outcomes(tmp_path, [outcome(key="1", asked_at=MICROSECONDS, value=2.0)])

    assert told(tmp_path) == {A: 1.0, B: 2.0}


@pytest.mark.parametrize(
    ("by_id", "by_key", "value"),
    [
        pytest.param((None, 1), (None, 2), 2.0, id="by key, received last"),
        pytest.param((None, 2), (None, 1), 1.0, id="by id, received last"),
        pytest.param((1, 1), (None, 9), 1.0, id="by id, with a revision"),
        pytest.param((1, 9), (2, 1), 2.0, id="by key, with a higher revision"),
        pytest.param((None, 1), (None, 1), 2.0, id="of one microsecond, the later in the log"),
    ],
)
def test_the_last_word_by_id_and_key_together_counts(
    tmp_path: Path, by_id: tuple[int | None, int], by_key: tuple[int | None, int], value: float
) -> None:
    log_predictions(tmp_path, [prediction(A)])
    log_outcomes(tmp_path, [outcome(id_=A, value=1.0, revision=by_id[0], received_at=by_id[1])])
    said = outcome(key="UA-1", asked_at=MICROSECONDS, value=2.0, revision=by_key[0], received_at=by_key[1])
    log_outcomes(tmp_path, [said])

    assert told(tmp_path) == {A: value}


def test_outcomes_without_a_prediction_are_counted_once_for_each_target(tmp_path: Path) -> None:
    log_predictions(tmp_path, [prediction(A, key=1)])
    strangers = [
        outcome(id_=B),
        outcome(id_=B, revision=1),
        outcome(key="1", asked_at=MICROSECONDS),
        outcome(key=1, asked_at=LATER),
        outcome(),
    ]
    log_outcomes(tmp_path, [outcome(id_=A), outcome(key=1, asked_at=MICROSECONDS), *strangers])

    assert lost(tmp_path) == 4


KEYS = st.sampled_from([1, 2, "1", "2", "x"])
TIMES = st.sampled_from([MICROSECONDS, LATER])
IDS = ids(8)
WORDS = st.builds(
    lambda target, value, revision, received_at: outcome(
        **target, value=value, revision=revision, received_at=received_at
    ),
    st.sampled_from(IDS).map(lambda id_: {"id_": id_})
    | st.builds(lambda key, asked_at: {"key": key, "asked_at": asked_at}, KEYS, TIMES),
    st.floats(0, 1),
    st.none() | st.integers(-1, 2),
    st.integers(0, 3),
)


def oracle(record: Prediction, words: list[Outcome]) -> float | None:
    """The last word on a prediction, by looking at each."""

    def is_on(word: Outcome) -> bool:
        if word.prediction is not None:
            return word.prediction == record.id
        same_type = type(word.key) is type(record.key)
        return same_type and (word.key, word.asked_at) == (record.key, record.asked_at)

    own = [word for word in words if is_on(word)]
    ranked = sorted(own, key=rank)
    return float(ranked[-1].value) if ranked else None


@settings(max_examples=60)
@given(st.lists(st.tuples(KEYS, TIMES), max_size=6), st.lists(WORDS, max_size=14))
def test_joins_agree_with_looking_at_every_word(asked: list[tuple[str | int, int]], words: list[Outcome]) -> None:
    records = [prediction(id_, key=key, asked_at=at) for id_, (key, at) in zip(IDS, asked, strict=False)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        log_predictions(folder, records)
        for start in range(0, len(words), 3):
            log_outcomes(folder, words[start : start + 3])

        assert joined(folder).select("id", "outcome").rows() == [(r.id, oracle(r, words)) for r in records]


def test_the_endpoint_gets_no_frames_with_the_log() -> None:
    code = (
        "import sys; from lockgate.predictionlog import index, outcomes, reading, segments, writer; "
        "print([name for name in ('polars', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
