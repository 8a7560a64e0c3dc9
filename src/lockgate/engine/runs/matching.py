"""Holds a run against a search.

- What a run does not have is `null`. A comparison with it is false, `= null` and `!= null` aside.
- A number is compared with numbers, a text with texts, true and false with each other; all else is false, `!=` aside.
- NaN equals NaN, and is neither less nor greater than anything.
"""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from lockgate.engine.runs.grammar import All, Comparison, Either, Name, Not, Search
from lockgate.kernel.canonical import canonical
from lockgate.kernel.numbers import heard
from lockgate.records.training import MetricSummary, TrainingRun

__all__ = ["matches", "parameter"]

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(search: Search, run: TrainingRun, version: str) -> bool:
    """Tell whether a run is searched for; its version is that of its release, empty for none."""
    match search:
        case Comparison():
            return _holds(search, _found(search.name, run, version))
        case Not(inner):
            return not matches(inner, run, version)
        case All(parts):
            return all(matches(part, run, version) for part in parts)
        case Either(parts):
            return any(matches(part, run, version) for part in parts)


def parameter(parameters: Mapping[str, Any], key: str) -> Any:  # noqa: ANN401 - JSON values
    """Give a parameter by its name; a dot leads into one that is made of others. None where there is none."""
    if key in parameters:
        return parameters[key]
    for place, letter in enumerate(key):
        inner = parameters.get(key[:place]) if letter == "." else None
        if isinstance(inner, Mapping) and (found := parameter(inner, key[place + 1 :])) is not None:
            return found
    return None


def _found(name: Name, run: TrainingRun, version: str) -> Any:  # noqa: ANN401 - JSON values
    match name.root:
        case "tag":
            return run.tags.get(name.key)
        case "param":
            found = parameter(run.given(), name.key)
            return canonical(found).decode() if isinstance(found, dict | list) else found
        case "metric" | "min" | "max":
            return _number(name.root, run.metrics.get(name.key))
    return _attributes(run, version)[name.root]


def _number(which: str, metric: MetricSummary | None) -> float | None:
    if metric is None:
        return None
    return heard(metric.last) if which == "metric" else metric.least if which == "min" else metric.greatest


def _attributes(run: TrainingRun, version: str) -> dict[str, Any]:
    return {
        "model": run.project,
        "state": run.state.value,
        "error": run.error or None,
        "fitted": run.fitted or None,
        "version": version or None,
        "commit": run.commit or None,
        "dirty": run.dirty,
        "walk": run.line or None,
        "by": run.by or None,
        "began": run.began_at.strftime("%Y-%m-%dT%H:%M:%SZ") if run.began_at else None,
        "seconds": run.seconds,
        "cpu_seconds": run.cpu_seconds,
        "memory": run.peak_memory or None,
    }


def _holds(asked: Comparison, found: Any) -> bool:  # noqa: ANN401 - JSON values
    if asked.value is None:
        return (found is None) == (asked.operator == "=")
    if found is None:
        return False
    if asked.operator in {"=", "!="}:
        return _same(found, asked.value) == (asked.operator == "=")
    alike = isinstance(found, str) == isinstance(asked.value, str) and not isinstance(found, bool)
    if not alike:
        return False
    return asked.value in found if asked.operator == "~" else _ORDERS[asked.operator](found, asked.value)


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401 - JSON values
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one) and math.isnan(other):
        return True
    return (one is not None) and isinstance(one, str) == isinstance(other, str) and bool(one == other)
