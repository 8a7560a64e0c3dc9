"""The log as Polars frames, for monitoring. The only module here that imports Polars; the endpoint must not.

- Times are UTC datetimes in microseconds; `value` and `outcome` are floats, in which true is 1.
- Keys are text beside `key_type`, `int` or `str`: the key 1 never meets the key "1".
- An outcome by key belongs to every prediction of that key and time. Of all words on a prediction, by id and by key
  together, the last one counts (`outcomes`).
- An outcome whose target has no prediction is counted, not forgotten (`unmatched`).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

import polars as pl

from lockgate.kernel.errors import Malformed
from lockgate.predictionlog import reading
from lockgate.predictionlog.outcomes import last_words
from lockgate.records.outcome import Outcome
from lockgate.records.prediction import Prediction

__all__ = ["joined", "outcome_frame", "prediction_frame", "unmatched", "with_outcomes"]

_TIME = pl.Datetime("us", "UTC")
_PREDICTION = {
    "id": pl.String(),
    "release": pl.String(),
    "plan": pl.Int64(),
    "key": pl.String(),
    "key_type": pl.String(),
    "asked_at": pl.Int64(),
    "received_at": pl.Int64(),
    "score": pl.Float64(),
    "value": pl.Float64(),
    "by": pl.String(),
}
_OUTCOME = {
    "prediction": pl.String(),
    "key": pl.String(),
    "key_type": pl.String(),
    "asked_at": pl.Int64(),
    "outcome": pl.Float64(),
    "observed_at": pl.Int64(),
    "revision": pl.Int64(),
    "received_at": pl.Int64(),
    "by": pl.String(),
}
_BY_KEY = ["key", "key_type", "asked_at"]
_TOLD = ["outcome", "observed_at", "revision"]


def prediction_frame(folder: Path, fields: Sequence[str] = (), since: datetime | None = None) -> pl.DataFrame:
    """Give the predictions, one a row.

    Args:
        folder: the endpoint's folder.
        fields: the names of the request's fields, in the order of the contract; each becomes a column `row.<name>`.
            None for no such columns.
        since: only those received then or later.

    Raises:
        Malformed: a prediction has another number of fields.
    """
    found = list(reading.predictions(folder, since))
    columns = {
        "id": [p.id for p in found],
        "release": [p.release.hex() for p in found],
        "plan": [p.plan for p in found],
        "key": [str(p.key) for p in found],
        "key_type": [_key_type(p.key) for p in found],
        "asked_at": [p.asked_at for p in found],
        "received_at": [p.received_at for p in found],
        "score": [p.score for p in found],
        "value": [float(p.value) for p in found],
        "by": [p.by for p in found],
    }
    frame = pl.DataFrame(columns, schema=_PREDICTION).with_columns(pl.col("asked_at", "received_at").cast(_TIME))
    return frame.with_columns(_rows(found, fields)) if fields else frame


def outcome_frame(folder: Path) -> pl.DataFrame:
    """Give the last word on each target, one a row."""
    return _words(last_words(reading.outcomes(folder)).values())


def with_outcomes(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
    """Add the last word on each prediction, `outcome`, `observed_at` and `revision`, or nulls; keeps rows and order.

    Args:
        predictions: as `prediction_frame` gives them.
        outcomes: as `outcome_frame` gives them.
    """
    words = outcomes.with_row_index("place")
    said = [pl.col("revision").is_not_null(), pl.col("revision").fill_null(0), pl.col("received_at"), pl.col("place")]
    by_id = predictions.select("id").join(words, left_on="id", right_on="prediction")
    by_key = predictions.select("id", *_BY_KEY).join(words.filter(pl.col("prediction").is_null()), on=_BY_KEY)
    both = pl.concat([frame.select("id", *_TOLD, "received_at", "place") for frame in (by_id, by_key)])
    last = both.sort(said).unique("id", keep="last", maintain_order=True).select("id", *_TOLD)
    return predictions.join(last, on="id", how="left", maintain_order="left")


def joined(folder: Path, fields: Sequence[str] = (), since: datetime | None = None) -> pl.DataFrame:
    """Give the predictions with the last word on each; arguments as of `prediction_frame`."""
    # Outcomes first: one that arrives in between then only waits for the next reading.
    outcomes = outcome_frame(folder)
    return with_outcomes(prediction_frame(folder, fields, since), outcomes)


def unmatched(predictions: pl.DataFrame, outcomes: pl.DataFrame) -> int:
    """Count the targets on which there is a word but no prediction; `predictions` must be all of them."""
    by_id = outcomes.filter(pl.col("prediction").is_not_null())
    by_key = outcomes.filter(pl.col("prediction").is_null())
    lost_ids = by_id.join(predictions, left_on="prediction", right_on="id", how="anti")
    return lost_ids.height + by_key.join(predictions, on=_BY_KEY, how="anti").height


def _words(outcomes: Iterable[Outcome]) -> pl.DataFrame:
    found = list(outcomes)
    columns = {
        "prediction": [o.prediction for o in found],
        "key": [None if o.key is None else str(o.key) for o in found],
        "key_type": [None if o.key is None else _key_type(o.key) for o in found],
        "asked_at": [o.asked_at for o in found],
        "outcome": [float(o.value) for o in found],
        "observed_at": [o.observed_at for o in found],
        "revision": [o.revision for o in found],
        "received_at": [o.received_at for o in found],
        "by": [o.by for o in found],
    }
    times = pl.col("asked_at", "observed_at", "received_at").cast(_TIME)
    return pl.DataFrame(columns, schema=_OUTCOME).with_columns(times)


def _rows(found: list[Prediction], fields: Sequence[str]) -> list[pl.Series]:
    """Turn the requests' fields into columns."""
    for prediction in found:
        if len(prediction.row) != len(fields):
            raise Malformed(
                f"The prediction {prediction.id} was asked by another contract",
                expected=f"{len(fields)} fields: {', '.join(fields)}",
                found=f"{len(prediction.row)} fields, release {prediction.release.hex()[:12]}",
                way_out="Name the fields of that release's contract, or read the log from a later moment on.",
            )
    return [pl.Series(f"row.{name}", [p.row[i] for p in found], strict=False) for i, name in enumerate(fields)]


def _key_type(key: str | int) -> str:
    return "int" if isinstance(key, int) else "str"
