"""What was measured of a release in service."""

from lockgate.kernel.canonical import Record

__all__ = ["DailyMetric"]


class DailyMetric(Record, tag="daily-metric/1", frozen=True, kw_only=True):
    """One metric of one version on one day of the event clock, in the project's zone."""

    # The endpoint's name.
    endpoint: str
    # The version that answered: the number of its release.
    version: int
    # The day on which it was asked, `2013-03-17`.
    day: str
    # The metric's name.
    metric: str
    # Predictions asked on that day.
    predictions: int
    # The share of them that are older than the outcome's `final_after`, by the endpoint's watermark.
    matured: float
    # Matured predictions that have an outcome.
    n: int
    # The metric over those; None where it is not defined (no outcome yet, or only one class).
    value: float | None
    # Outcomes so far, matured or not.
    naive_n: int
    # The metric over those: what a dashboard without maturity would show.
    naive_value: float | None
