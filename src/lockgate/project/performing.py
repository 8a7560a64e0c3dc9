"""Checks declared gates on what a package takes."""

from lockgate.declare.gates import GateWanted
from lockgate.declare.mistakes import note

__all__ = ["check_performance"]

_BOUNDED = {
    "latency": ("p50", "p95", "p99"),
    "throughput": ("at_least",),
    "no_slower_than_live": ("p50", "p95", "p99", "throughput"),
    "cpu": ("at_most", "growth"),
    "memory": ("at_most", "growth"),
    "package_size": ("at_most", "growth"),
    "cold_start": ("at_most", "growth"),
}
_SHARES = {"no_slower_than_live", "cpu", "cold_start"}
_LEAST_SHARE = 0.08
_LEAST_GROWTH = 8_000_000


def check_performance(gate: GateWanted) -> None:
    """Note what is wrong with a gate on what a package takes; of another gate, nothing."""
    if gate.kind not in _BOUNDED:
        return
    if not gate.parameters:
        expected = f"{' or '.join(_BOUNDED[gate.kind])} for {gate.kind}(...)"
        note(gate.where, expected=expected, found="no bound")
    for name, value in gate.parameters.items():
        relative = name == "growth" or gate.kind == "no_slower_than_live"
        if relative and gate.kind in _SHARES and not _LEAST_SHARE <= value <= 10:  # noqa: PLR2004 - eleven times as much
            hint = "It is a share: 0.1 is 10 %. Less than 8 % can't be told from what differs between two starts."
            note(gate.where, expected=f"{name} from {_LEAST_SHARE} to 10", found=repr(value), hint=hint)
        elif relative and gate.kind == "memory" and value < _LEAST_GROWTH:
            hint = "Two starts of the same package differ by up to 4 megabytes."
            note(gate.where, expected="growth of at least 8 megabytes", found=f"{value / 1e6:g}", hint=hint)
        elif value < 0 or (value == 0 and not relative):
            note(gate.where, expected=f"{name} above 0", found=f"{value:g}")
