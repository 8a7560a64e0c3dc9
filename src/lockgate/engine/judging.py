"""Measures a package for its gates, in children, and judges it.

- A gate names the kinds of evidence that it judges by; what no gate asks for is not measured.
- A measurer gives evidence about the package, and about the live one where the two are compared.
- What can't be measured gives no evidence; its gate is then inconclusive and stays shut.
"""

import msgspec

from lockgate.engine.children import Job, run_child
from lockgate.engine.jobs import Measured
from lockgate.engine.judged import Judged, Measurer
from lockgate.engine.machine import processes
from lockgate.engine.performance import performance
from lockgate.gates.judge import Case, judge
from lockgate.gates.performance import PERFORMANCE
from lockgate.kernel.canonical import Digest
from lockgate.packages.runtimes import Agreement
from lockgate.records.check import CheckReport
from lockgate.records.package import Evidence

__all__ = ["judge_all"]


def judge_all(judged: Judged) -> dict[str, Digest]:
    """Measure what the gates ask for, judge, and keep both; gives digests by role."""
    shelf, walk = judged.walk.where.shelf, judged.walk
    wanted = {kind for spec in judged.blueprint.gates for kind in _WANTS.get(spec.kind, ())}
    evidence = [one for kind, measurer in MEASURERS.items() if kind in wanted for one in measurer(judged)]
    case = Case(
        package=judged.package,
        checks=tuple(shelf.get(CheckReport, digest) for digest in judged.report_ids.values()),
        evidence=tuple(evidence),
        live=judged.live.package if judged.live else None,
    )
    verdicts = [judge(spec, case) for spec in judged.blueprint.gates]
    made = {f"evidence {i}": walk.keep(one) for i, one in enumerate(evidence)}
    return made | {f"verdict {i}": walk.keep(one) for i, one in enumerate(verdicts)}


def _answers(judged: Judged) -> list[Evidence]:
    """Ask the package, and the live one, the test rows: metrics, and the answers of the fitted object."""
    found = _measured(judged, judged.package, own_rows=True)
    if judged.live is not None:
        found += _measured(judged, judged.live.package, own_rows=False)
    return found


def _measured(judged: Judged, package: Digest, *, own_rows: bool) -> list[Evidence]:
    walk, specs = judged.walk, judged.blueprint.gates
    arguments = {
        "package": package,
        "package_folder": str(walk.where.shelf.unpack(package)),
        "test": str(judged.test()),
        "sources": judged.sources(),
        "slices": sorted({spec.parameters["by"] for spec in specs if "by" in spec.parameters}),
        "own_rows": own_rows,
        "processes": processes(),
    }
    scratch = walk.scratch / f"measure-{package.removeprefix('sha256:')[:12]}"
    job = Job(kind="measure", folder=walk.line.folder, arguments=arguments)
    found = run_child(job, scratch, Measured, walk.progress("gates"))
    values = {"metrics": found.metrics, "reference": found.reference}
    return [judged.evidence(package, kind, value) for kind, value in values.items() if value is not None]


def _runtime(judged: Judged) -> list[Evidence]:
    """Hold the answers of whoever answers against those of the model's own library."""
    walk, package = judged.walk, judged.package
    arguments = {
        "package": package,
        "package_folder": str(walk.where.shelf.unpack(package)),
        "test": str(judged.test()),
    }
    job = Job(kind="agree", folder=walk.line.folder, arguments=arguments)
    found = run_child(job, walk.scratch / "agree", Agreement)
    return [judged.evidence(package, "runtime", msgspec.to_builtins(found))]


MEASURERS: dict[str, Measurer] = {"answers": _answers, "runtime": _runtime, "performance": performance}
"""Every measurer, by name, in the order in which they run."""

_WANTS: dict[str, tuple[str, ...]] = {
    "metric": ("answers",),
    "no_worse_than_live": ("answers",),
    "reference_answers": ("answers",),
    "runtime_parity": ("runtime",),
    **dict.fromkeys(PERFORMANCE, ("performance",)),
}
"""For each kind of gate the measurers whose evidence it judges by."""
