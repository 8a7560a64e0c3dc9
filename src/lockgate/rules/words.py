"""Says a rule in words: what must hold, and what it may be."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from lockgate.records.check import Rule

__all__ = ["condition_of", "measure_of"]

_SHOWN = 12


def condition_of(rule: Rule) -> str:
    """Say what must hold."""
    say = _CONDITIONS.get(rule.kind)
    return say(rule, rule.parameters) if say else rule.name


def measure_of(rule: Rule, measured: float) -> str:
    """Say what was measured, in the unit that the rule has."""
    if rule.kind == "row_count":
        return f"{measured:,.0f} rows"
    if rule.kind == "fresh":
        return str(timedelta(seconds=int(measured)))
    return f"{measured:.3f}" if rule.kind in {"psi", "ks", "jensen_shannon"} else f"{measured:.2%}"


def _listed(values: list[Any]) -> str:
    return f"{', '.join(map(str, values[:_SHOWN]))}{f' … ({len(values)} values)' if len(values) > _SHOWN else ''}"


def _row_count(_: Rule, parameters: dict[str, Any]) -> str:
    least, most = parameters["least"], parameters["most"]
    return f"{least} rows or more" if most is None else f"{least} to {most} rows"


def _in_order(rule: Rule, _: dict[str, Any]) -> str:
    within = f" of one {', '.join(rule.more)}" if rule.more else ""
    return f"no {rule.column} before that of the row above{within}"


_CONDITIONS: dict[str, Callable[[Rule, dict[str, Any]], str]] = {
    "between": lambda rule, given: f"{given['low']:g} ≤ {rule.column} ≤ {given['high']:g}",
    "found": lambda _, given: f"{given['lookup']} knows what is asked about",
    "fresh": lambda rule, _: f"the newest {rule.column} is at most {timedelta(seconds=rule.at_most)} old",
    "holds": lambda rule, given: f"{given['function']['name']}({', '.join(rule.columns)})",
    "in_order": _in_order,
    "jensen_shannon": lambda rule, _: f"{rule.column} within {rule.at_most:g} of its reference (Jensen-Shannon)",
    "ks": lambda rule, _: f"{rule.column} within {rule.at_most:g} of its reference (KS)",
    "missing": lambda rule, _: f"{rule.column} is there",
    "missing_change": lambda rule, _: (
        f"as much of {rule.column} missing as in its reference, within {rule.at_most:.2%}"
    ),
    "one_of": lambda rule, given: f"{rule.column} is one of {_listed(given['values'])}",
    "psi": lambda rule, _: f"{rule.column} within {rule.at_most:g} of its reference (PSI)",
    "refers_to": lambda rule, given: f"{rule.column} is a {given['key']} of {given['source']}",
    "row_change": lambda rule, _: f"as many rows as before, within {rule.at_most:.0%}",
    "row_count": _row_count,
    "row_loss": lambda rule, _: f"at most {rule.at_most:.1%} of the rows lost",
    "typed": lambda rule, given: f"{rule.column} is {' or '.join(given['kinds'])}",
    "unique": lambda rule, _: f"no {', '.join(rule.columns)} twice",
    "unseen": lambda rule, _: f"{rule.column} is a value that its reference has",
    "varies": lambda rule, _: f"{rule.column} has more than one value",
}
