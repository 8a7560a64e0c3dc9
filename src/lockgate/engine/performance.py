"""Measures what a package takes, beside the live one, in a child that starts the processes which are sampled."""

import itertools

import msgspec

from lockgate.engine.children import Job, run_child
from lockgate.engine.judged import Judged
from lockgate.engine.performing import Performed
from lockgate.engine.sampling import Sampling
from lockgate.gates.performance import ALPHA, PERFORMANCE, RELATIVE, compared
from lockgate.kernel.canonical import digest_of, parse
from lockgate.kernel.errors import Failed
from lockgate.kernel.verdicts import Verdict
from lockgate.records.line import Step
from lockgate.records.package import Evidence
from lockgate.records.verdict import GateSpec, GateVerdict

__all__ = ["consumed_by", "performance", "sampling_for"]

_STARTS = 8
_MOST_SECONDS = 20.0


def performance(judged: Judged) -> list[Evidence]:
    """Sample the package, and the live one beside it where a gate compares them.

    What can't be sampled has evidence of that.
    """
    specs = [spec for spec in judged.blueprint.gates if spec.kind in PERFORMANCE]
    live = judged.live.package if judged.live else None
    rival = live if live != judged.package and any(compared(spec) for spec in specs) else None
    packages = [judged.package, *([rival] if rival else [])]
    shelf = judged.walk.where.shelf
    arguments = {
        "packages": [(package, str(shelf.unpack(package))) for package in packages],
        "test": str(judged.test()),
        "sampling": msgspec.to_builtins(sampling_for(specs)),
    }
    job = Job(kind="perform", folder=judged.walk.line.folder, arguments=arguments)
    try:
        found = run_child(job, judged.walk.scratch / "perform", Performed, judged.walk.progress("gates"))
    except Failed as error:
        return [judged.evidence(judged.package, "performance", {"failed": str(error)})]
    sampled = packages[: len(found.values)]
    beside = [*sampled[1:], *sampled[:1]] if len(sampled) > 1 else [None]
    return [
        judged.evidence(package, "performance", {**values, "beside": other, "alone": found.alone})
        for package, values, other in zip(sampled, found.values, beside, strict=True)
    ]


def consumed_by(judged: Judged) -> dict[str, str]:
    """Give all that decides the verdicts, so that a step is found again; samples that told nothing are taken anew.

    What a busy machine could not tell is no fact about the package, and must not be found for ever.
    """
    shelf, consumed = judged.walk.where.shelf, judged.consumed()
    names = {GateSpec(kind=kind).name for kind in PERFORMANCE}
    for again in itertools.count(1):
        stored = shelf.ledger.records.get("step", digest_of({"station": "gates", "consumed": consumed}))
        produced = {} if stored is None else parse(stored.body, Step).produced
        found = [shelf.get(GateVerdict, digest) for name, digest in produced.items() if name.startswith("verdict")]
        if not any(one.verdict is Verdict.INCONCLUSIVE and one.gate in names for one in found):
            return consumed
        consumed = {**judged.consumed(), "sampled again": str(again)}
    raise AssertionError


def sampling_for(specs: list[GateSpec]) -> Sampling:
    """Give how long to sample for some gates: as their margins need."""
    alpha, margins = ALPHA, dict[str, float]()
    for spec in specs:
        relative = compared(spec)
        alpha = min(alpha, ALPHA / max(1, len(relative)))
        for name, margin in relative.items():
            if name in RELATIVE and name != "cold_start":
                margins[name] = min(margin, margins.get(name, margin))
    starts = _STARTS if any("cold_start" in compared(spec) for spec in specs) else 0
    return Sampling(margins=margins, alpha=alpha, most=_MOST_SECONDS, starts=starts)
