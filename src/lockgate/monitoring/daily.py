"""Daily metrics of releases in service, from the log alone.

- The day is that of the time asked, event clock, in the project's zone.
- A prediction is matured once the endpoint's watermark has passed its time asked by `final_after`. A metric is taken
  over matured predictions that have an outcome; the naive figure over every outcome so far stands beside it, since that
  is what a dashboard shows that does not wait, and outcomes that come early are not like those that come late.
- The last word on an outcome counts (`predictionlog.outcomes`).
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from lockgate.kernel.canonical import Digest
from lockgate.predictionlog.frames import outcome_frame, prediction_frame, unmatched, with_outcomes
from lockgate.predictionlog.reading import events
from lockgate.predictionlog.reading import outcomes as every_word
from lockgate.records.features import OutcomeSpec
from lockgate.records.monitoring import DailyMetric
from lockgate.statistics.metrics import METRICS

__all__ = ["Cohorts", "read_cohorts"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Cohorts:
    """An endpoint's predictions with what came of them.

    Args:
        endpoint: its name.
        frame: predictions with outcomes.
        unmatched: how many outcomes have no prediction.
        last_told: the latest time that an outcome or a posted row brought; None for none.
    """

    def __init__(self, endpoint: str, frame: pl.DataFrame, unmatched: int, last_told: datetime | None = None) -> None:
        """Find the watermark: the latest moment the endpoint was told of."""
        self.endpoint = endpoint
        self.frame = frame
        self.unmatched = unmatched
        asked = frame.select(pl.max_horizontal(pl.max("asked_at"), pl.max("observed_at"))).item()
        self.watermark: datetime | None = max((one for one in (asked, last_told) if one is not None), default=None)

    @property
    def predictions(self) -> int:
        """How many predictions."""
        return self.frame.height

    @property
    def joined(self) -> int:
        """How many of them have an outcome."""
        return self.frame.height - self.frame["outcome"].null_count()

    def daily(
        self, outcome: OutcomeSpec, *, task: str, threshold: float, timezone: str, versions: Mapping[Digest, int]
    ) -> list[DailyMetric]:
        """Give every metric for each version and day, in that order.

        Args:
            outcome: what is foreseen; its `final_after` says when a cohort matures.
            task: `binary` or `regression`.
            threshold: from this score on the answer was true.
            timezone: the project's.
            versions: the number of each release.
        """
        if self.watermark is None:
            return []
        known = {digest.removeprefix("sha256:"): number for digest, number in versions.items()}
        frame = self.frame.with_columns(
            day=pl.col("asked_at").dt.convert_time_zone(timezone).dt.date(),
            version=pl.col("release").replace_strict(known, default=0, return_dtype=pl.Int64),
            matured=pl.col("asked_at") + outcome.final_after <= self.watermark,
        )
        groups = frame.partition_by("version", "day", as_dict=True, maintain_order=False)
        return [
            metric
            for (version, day), cohort in sorted(groups.items())
            for metric in self._metrics(int(version), day, cohort, task, threshold)
        ]

    def _metrics(self, version: int, day: date, cohort: pl.DataFrame, task: str, threshold: float) -> list[DailyMetric]:
        told = cohort.filter(pl.col("outcome").is_not_null())
        final = told.filter("matured")
        arrays = {
            name: (part["outcome"].to_numpy(), part["score"].to_numpy()) for name, part in (("t", told), ("f", final))
        }
        return [
            DailyMetric(
                endpoint=self.endpoint,
                version=version,
                day=day.isoformat(),
                metric=name,
                predictions=cohort.height,
                matured=int(cohort["matured"].sum()) / max(1, cohort.height),
                n=final.height,
                value=metric(*arrays["f"], threshold),
                naive_n=told.height,
                naive_value=metric(*arrays["t"], threshold),
            )
            for name, metric in METRICS[task].items()
        ]


def read_cohorts(endpoint: str, folder: Path) -> Cohorts:
    """Read an endpoint's log.

    Args:
        endpoint: its name.
        folder: its log's folder; it may not exist yet.
    """
    outcomes = outcome_frame(folder)
    predictions = prediction_frame(folder)
    rows = (min(one.event_time, one.available_time) for one in events(folder))
    words = (one.observed_at for one in every_word(folder))
    latest = max((moment for moments in (rows, words) for moment in moments), default=None)
    last_told = None if latest is None else _EPOCH + timedelta(microseconds=latest)
    return Cohorts(endpoint, with_outcomes(predictions, outcomes), unmatched(predictions, outcomes), last_told)
