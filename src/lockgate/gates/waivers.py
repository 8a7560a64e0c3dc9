"""Decides what waivers do to verdicts.

- A verdict stays as it is; a waiver lets one package past one gate of one endpoint, and nothing else.
- A gate is meant by its name: where two gates have one name, both are.
- It counts before the moment that it states, and not at that moment: from then on the gate is shut again.
- Of several that fit, the one that counts longest is taken.
- Reference answers can't be waived: every worker puts the same questions to a release, and would not load it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import Fault, Invalid, NotFound, Refused
from lockgate.kernel.names import nearest
from lockgate.records.verdict import GateVerdict
from lockgate.records.waiver import Waiver

__all__ = ["LONGEST", "check_terms", "counts", "fitting", "gates_shut", "waivable"]

LONGEST = timedelta(days=90)
"""How far away the end of a waiver may be when it is given."""

_HELD_BY_WORKERS = "reference answers"


def counts(waiver: Waiver, at: datetime) -> bool:
    """Tell whether a waiver counts at a moment."""
    return at < waiver.until


def fitting(
    verdict: GateVerdict, endpoint: str, waivers: Mapping[Digest, Waiver], at: datetime
) -> tuple[Digest, Waiver] | None:
    """Give the waiver of a verdict that counts longest, of those that count; None where none does."""
    meant = (endpoint, verdict.package, verdict.gate)
    found = [
        (digest, one)
        for digest, one in waivers.items()
        if (one.endpoint, one.package, one.gate) == meant and counts(one, at)
    ]
    return max(found, key=lambda pair: (pair[1].until, pair[1].at, pair[0]), default=None)


def gates_shut(
    verdicts: Iterable[GateVerdict], endpoint: str, waivers: Mapping[Digest, Waiver], at: datetime
) -> tuple[GateVerdict, ...]:
    """Give the verdicts that hold a package back at a moment: those that do not open, and that nobody waived."""
    return tuple(one for one in verdicts if not one.verdict.opens and fitting(one, endpoint, waivers, at) is None)


def waivable(verdicts: Sequence[GateVerdict], gate: str) -> GateVerdict:
    """Give the verdict that is meant, of those of a walk.

    Raises:
        NotFound: no gate of that name judged there.
        Refused: it opens; there is nothing to waive. Or it can't be waived.
    """
    named = sorted((one for one in verdicts if one.gate == gate), key=lambda one: one.verdict.opens)
    shut = [one.gate for one in verdicts if not one.verdict.opens]
    if not named:
        msg = f"No gate {gate!r} judged in this walk"
        expected = f"a gate that stays shut: {', '.join(shut) or 'there is none'}"
        way_out = nearest(gate, shut or [one.gate for one in verdicts])
        raise NotFound(msg, expected=expected, found=gate, way_out=way_out)
    if named[0].verdict.opens:
        msg = f"The gate {gate!r} is open; there is nothing to waive"
        expected = f"a gate that stays shut: {', '.join(shut) or 'there is none'}"
        raise Refused(msg, expected=expected, found=named[0].verdict.value)
    if gate == _HELD_BY_WORKERS:
        msg = "Reference answers can't be waived"
        hint = "It is a fault in a library or in Lockgate: another version of the library may mend it."
        raise Refused(msg, expected="a gate that only judges", found="one that every worker asks again", way_out=hint)
    return named[0]


def check_terms(reason: str, until: datetime, at: datetime) -> None:
    """Refuse a waiver without a reason, or with an end that is past or far away; says all that is wrong at once.

    Raises:
        Invalid: with a fault for each.
    """
    faults = []
    if not reason.strip():
        faults.append(Fault(at="reason", expected="why the verdict need not hold this package back", found="nothing"))
    if not at < until <= at + LONGEST:
        last = (at + LONGEST).isoformat(timespec="seconds")
        faults.append(
            Fault(
                at="until",
                expected=f"a moment after {at.isoformat(timespec='seconds')}, and not after {last}",
                found=until.isoformat(timespec="seconds"),
                hint=f"A waiver holds for {LONGEST.days} days at most; it can be given again.",
            )
        )
    if faults:
        msg = "This waiver can't be given"
        raise Invalid(msg, faults=tuple(faults))
