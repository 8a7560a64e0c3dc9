"""Counts what a worker does, and says it in Prometheus' text format. Monitoring counts from the log, not from here.

Labels are names of endpoints that are there, versions, codes and fields of contracts: none is a caller's to make up.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

__all__ = ["BUCKETS", "Tally"]

BUCKETS = tuple(2.0**power for power in range(-14, 5))
"""Upper bounds of the latency buckets in seconds, 61 microseconds to 16 seconds."""

_Labels = tuple[tuple[str, str], ...]


class Tally:
    """The counters of one worker, from its start on."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[_Labels]] = {name: Counter() for name in _COUNTERS}
        self._seconds: dict[str, list[int]] = {}
        self._sums: defaultdict[str, float] = defaultdict(float)

    def count(self, name: str, by: int = 1, **labels: str) -> None:
        """Add to a counter."""
        self._counts[name][tuple(labels.items())] += by

    def took(self, endpoint: str, seconds: float) -> None:
        """Count a request that took so long, from its head to its reply."""
        buckets = self._seconds.setdefault(endpoint, [0] * (len(BUCKETS) + 1))
        buckets[bisect_left(BUCKETS, seconds)] += 1
        self._sums[endpoint] += seconds

    def text(self, gauges: Mapping[str, Mapping[str, float]]) -> str:
        """Write everything down.

        Args:
            gauges: for each gauge its value by endpoint.
        """
        lines: list[str] = []
        for name, about in _COUNTERS.items():
            lines += _family(name, about, "counter", (_line(name, *one) for one in self._counts[name].items()))
        lines += _family(_SECONDS, "Time from a request's head to its reply.", "histogram", self._histogram())
        for name, about in _GAUGES.items():
            values = gauges.get(name, {}).items()
            lines += _family(name, about, "gauge", (_line(name, (("endpoint", one),), value) for one, value in values))
        return "\n".join([*lines, ""])

    def _histogram(self) -> Iterable[str]:
        for endpoint, buckets in self._seconds.items():
            total = 0
            for bound, count in zip([*map(repr, BUCKETS), "+Inf"], buckets, strict=True):
                total += count
                yield _line(f"{_SECONDS}_bucket", (("endpoint", endpoint), ("le", bound)), total)
            yield _line(f"{_SECONDS}_sum", (("endpoint", endpoint),), self._sums[endpoint])
            yield _line(f"{_SECONDS}_count", (("endpoint", endpoint),), total)


_COUNTERS = {
    "lockgate_predictions_total": "Predictions that were logged and answered.",
    "lockgate_refused_total": "Requests that were answered with an error, by its code.",
    "lockgate_unseen_total": "Predictions with a category that the training rows did not have, by column.",
    "lockgate_broken_rules_total": "Predictions whose row broke a rule with a tolerance, by rule.",
    "lockgate_outcomes_total": "Outcomes that were logged.",
    "lockgate_events_total": "Rows of sources that were logged.",
}
_SECONDS = "lockgate_request_seconds"
_GAUGES = {
    "lockgate_plan_number": "The number of the traffic plan in force.",
    "lockgate_queue_rows": "Rows that wait for their answer.",
    "lockgate_ready": "Whether the endpoint answers.",
    "lockgate_ingest_up": "Whether the process answers that puts posted rows into the online store.",
    "lockgate_ingest_lag_rows": "Posted rows that are not in the online store yet, counted up to 2,000.",
    "lockgate_ingest_lag_seconds": "Age of the oldest of them.",
}


def _family(name: str, about: str, kind: str, lines: Iterable[str]) -> list[str]:
    return [f"# HELP {name} {about}", f"# TYPE {name} {kind}", *lines]


def _line(name: str, labels: _Labels, value: float) -> str:
    inside = ",".join(f'{label}="{_escape(text)}"' for label, text in labels)
    return f"{name}{{{inside}}} {value}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
