"""Judges a package by a gate.

- A verdict is a function of the gate and of evidence about this package's digest; nothing else is looked at.
- No evidence, or too little, is `inconclusive`, and an inconclusive gate stays shut.
- A verdict says what was expected and what was found, with the numbers.
"""

from collections.abc import Callable

from lockgate.gates.case import Case, verdict
from lockgate.gates.data import data_checks, reference_answers
from lockgate.gates.metrics import metric, no_worse_than_live
from lockgate.gates.performance import PERFORMANCE, performance
from lockgate.gates.runtime import runtime_parity
from lockgate.kernel.verdicts import Verdict
from lockgate.records.verdict import GateSpec, GateVerdict

__all__ = ["GATES", "Case", "judge"]


def judge(gate: GateSpec, case: Case) -> GateVerdict:
    """Judge by one gate; an unknown gate is inconclusive."""
    decide = GATES.get(gate.kind)
    if decide is None:
        return verdict(gate, case, Verdict.INCONCLUSIVE, f"a gate that is known: {', '.join(GATES)}", gate.kind)
    return decide(gate, case)


GATES: dict[str, Callable[[GateSpec, Case], GateVerdict]] = {
    "data_checks": data_checks,
    "metric": metric,
    "no_worse_than_live": no_worse_than_live,
    "reference_answers": reference_answers,
    "runtime_parity": runtime_parity,
    **dict.fromkeys(PERFORMANCE, performance),
}
"""Every gate, by the name that blueprints carry."""
