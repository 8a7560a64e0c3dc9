"""The checks of a walk: what each stage is examined with, and how a check that does not hold is told."""

from collections.abc import Mapping, Sequence

import polars as pl
from msgspec.structs import replace

from lockgate.checks.examine import Around, examine
from lockgate.kernel.canonical import Digest
from lockgate.kernel.errors import GateClosed
from lockgate.kernel.verdicts import Verdict, worst
from lockgate.project.blueprint import Blueprint
from lockgate.records.check import ALONE, CheckReport, Rule, RuleResult, Stage

__all__ = ["Watch", "guards", "keys_wanted", "quarantines", "rules_of", "said", "stop_on_checks", "summed_up"]


def rules_of(blueprint: Blueprint, stage: Stage, source: str = "") -> list[Rule]:
    """Give the rules of one stage, in order."""
    return [rule for rule in blueprint.rules if rule.stage is stage and rule.source == source]


def guards(blueprint: Blueprint) -> tuple[Rule, ...]:
    """Give the rules that guard requests: those about fields of the request that one row keeps or breaks by itself."""
    fields = {field.name: field for field in blueprint.request.fields}
    kept = rules_of(blueprint, Stage.KEPT, blueprint.request.history)
    return tuple(
        rule
        for rule in kept
        if rule.kind in ALONE
        and all(column in fields for column in rule.columns)
        and (rule.kind != "missing" or fields[rule.column].nullable)  # the contract says the rest
    )


def quarantines(blueprint: Blueprint, source: str) -> list[Rule]:
    """Give the rules that split rows of a source off."""
    return [rule for rule in rules_of(blueprint, Stage.KEPT, source) if rule.quarantine]


def keys_wanted(rules: Sequence[Rule]) -> list[tuple[str, str]]:
    """Give what rules refer to: (source, its key)."""
    return sorted({(one.parameters["source"], one.parameters["key"]) for one in rules if one.kind == "refers_to"})


class Watch:
    """Examines the stages of a training set while it is made."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Hold the rules of all stages."""
        self._rules = rules
        self._seen: list[CheckReport] = []

    def __call__(
        self,
        stage: Stage,
        frame: pl.DataFrame,
        *,
        rows_in: int,
        rows_out: int | None = None,
        left_out: Mapping[str, int] | None = None,
    ) -> None:
        """Examine the rows that came out of a stage."""
        around = Around(rows_in=rows_in, rows_out=rows_out, left_out=left_out or {})
        rules = [rule for rule in self._rules if rule.stage is stage]
        self._seen.append(examine(frame, rules, stage=stage, on=_UNNAMED, around=around))

    def reports(self, training_set: Digest) -> list[CheckReport]:
        """Give a report for each stage, about the training set that came of it."""
        return [replace(report, on=training_set) for report in self._seen]


_UNNAMED = "sha256:" + "0" * 64


def said(report: CheckReport, result: RuleResult) -> str:
    """Say in one line what a rule saw."""
    seen = result.note
    if result.rows is not None and result.failures and not seen:
        share = result.failures / max(1, result.rows)
        seen = f"{result.failures:,} of {result.rows:,} rows break it ({share:.2%}, at most {result.at_most:.2%})"
    elif result.rows is not None and result.measured is not None and not result.failures:
        seen = f"{result.measured:.3g}, at most {result.at_most:g}{f' ({seen})' if seen else ''}"
    example = next(({**{one: row[one] for one in result.columns}, **row} for row in result.examples), None)
    shown = (
        f"; for example {', '.join(f'{name}={value}' for name, value in list(example.items())[:4])}" if example else ""
    )
    return f"{report.place}: {result.condition}: {seen}{shown}"


def summed_up(report: CheckReport) -> str:
    """Say in one line what came in, what came out, and which rules do not simply hold."""
    came = f"{report.rows_in:,} rows in, " if report.rows_in is not None else ""
    lost = "".join(f", {count:,} {reason}" for reason, count in report.left_out.items() if count)
    split = f", {report.quarantine.rows:,} in quarantine" if report.quarantine else ""
    odd = [f"{one.condition}: {one.verdict.value}" for one in report.results if one.verdict is not Verdict.PASS]
    rules = f"{len(report.results)} rule{'' if len(report.results) == 1 else 's'}"
    return f"{came}{report.rows:,} rows{lost}{split}; {rules}{': ' + '; '.join(odd) if odd else ' hold'}"


def stop_on_checks(reports: Sequence[CheckReport]) -> None:
    """Stop where a check does not hold.

    Raises:
        GateClosed: with every rule that does not hold, and what it saw.
    """
    if worst(report.verdict for report in reports).opens:
        return
    broken = [said(report, one) for report in reports for one in report.results if not one.verdict.opens]
    count = f"{len(broken)} rule{'s do' if len(broken) != 1 else ' does'} not hold"
    raise GateClosed(
        f"{count}; nothing was trained",
        expected="every rule to hold",
        found="; ".join(broken) or "a stage that no rule was about",
        way_out="Mend the data, or what the project file expects of it; lockgate check FOLDER --data shows the rows.",
    )
