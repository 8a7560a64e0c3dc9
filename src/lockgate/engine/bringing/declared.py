"""What an import declares: the blueprint that a project file would have given, and the checks of its example rows."""

import runpy
from pathlib import Path
from typing import Any

from lockgate.checks.examine import Around, examine
from lockgate.declare.gates import metric
from lockgate.declare.mistakes import collecting
from lockgate.declare.project import Project
from lockgate.engine.bringing.asked import ImportAsked
from lockgate.kernel.canonical import digest_of
from lockgate.kernel.errors import Invalid
from lockgate.project.blueprint import Blueprint
from lockgate.project.judging import compile_gates, standing_gates
from lockgate.records.check import CheckReport, Rule, Stage, place_of
from lockgate.records.features import FeatureNote, FeatureSpec, TrainingSet
from lockgate.records.training import ModelSpec
from lockgate.records.verdict import GateSpec
from lockgate.training.assemble import OUTCOME
from lockgate.training.example import EXAMPLE, Example

__all__ = ["blueprint_of", "reports_of"]

_PLACES = (place_of(Stage.KEPT, EXAMPLE), place_of(Stage.TEST, ""), place_of(Stage.MATRIX, ""))


def blueprint_of(
    asked: ImportAsked,
    example: Example,
    task: str,
    vocabulary: dict[str, tuple[str, ...]],
    *,
    feature: FeatureSpec | None = None,
    gates: Path | None = None,
) -> Blueprint:
    """Say all that a project would have said; `gates` is a file that declares some."""
    notes = (
        [FeatureNote(feature=feature.name, registered=f"{asked.name}/{feature.name}", owner=asked.owner)]
        if feature
        else []
    )
    return Blueprint(
        name=asked.name,
        owner=asked.owner,
        timezone=example.features.timezone,
        sources=(),
        rules=tuple(_rules(asked, example, vocabulary)),
        request=example.request,
        features=example.features,
        feature_notes=tuple(notes),
        outcome=example.outcome,
        model=ModelSpec(
            name=Path(asked.path).name,
            function="",
            parameters={},
            task=task,
            threshold=asked.threshold,
            test_seconds=0.0,
        ),
        gates=_gates(asked, example, gates),
    )


def _rules(asked: ImportAsked, example: Example, vocabulary: dict[str, tuple[str, ...]]) -> list[Rule]:
    """Give what is expected of the example rows; what only they must keep is no guard of requests."""
    key, asked_at = example.request.key, example.request.asked_at
    rules = [
        Rule(source=EXAMPLE, kind="row_count", parameters={"least": 1, "most": None}),
        Rule(source=EXAMPLE, kind="missing", column=key),
        Rule(source=EXAMPLE, kind="unique", column=key),
        Rule(source=EXAMPLE, kind="missing", column=asked_at),
        Rule(stage=Stage.TEST, kind="row_count", parameters={"least": 1, "most": None}),
    ]
    if asked.roles.outcome:
        rules.append(Rule(stage=Stage.TEST, kind="missing", column=example.outcome.name))
        rules.append(Rule(stage=Stage.TEST, kind="varies", column=example.outcome.name, warn=0.0, at_most=1.0))
    for name, values in vocabulary.items():
        parameters = {"values": list(values)}
        rules.append(Rule(stage=Stage.TEST, kind="one_of", column=name, parameters=parameters, warn=0.0, at_most=1.0))
    for column in example.features.columns:
        rules.append(Rule(stage=Stage.MATRIX, kind="varies", column=column.name, warn=0.0, at_most=1.0))
        rules.append(Rule(stage=Stage.MATRIX, kind="missing", column=column.name, warn=0.5, at_most=1.0))
    return rules


def _gates(asked: ImportAsked, example: Example, file: Path | None) -> tuple[GateSpec, ...]:
    """Give the gates that no release goes without, then bounds, and those of a file; compiled as a project's are."""
    project = Project(asked.name, owner=asked.owner, timezone=example.features.timezone)
    with collecting() as faults:
        project.gate(*(metric(name, at_least=value, min_rows=asked.min_rows) for name, value in asked.floors.items()))
        project.gate(*(metric(name, at_most=value, min_rows=asked.min_rows) for name, value in asked.ceilings.items()))
        if file is not None:
            project.gate(*_declared_in(file))
        compiled = compile_gates(project, example.request, example.outcome)
    if faults:
        raise Invalid("These gates can't be judged", faults=tuple(faults))
    if any("metric" in gate.parameters for gate in compiled) and not asked.roles.outcome:
        raise Invalid("Metrics can't be judged without outcomes", expected="--outcome COLUMN", found="none")
    standing = standing_gates(list(_PLACES))
    return (*standing, *compiled[len(standing) :])


def _declared_in(file: Path) -> list[Any]:
    """Run a file and give what it calls `gates`."""
    try:
        found = runpy.run_path(str(file)).get("gates")
    except (Exception, SystemExit) as error:
        said = f"{type(error).__name__}: {error}"
        raise Invalid(f"{file.name} does not load", expected="a file that declares gates", found=said) from error
    if not isinstance(found, list | tuple):
        expected = "gates = [lockgate.no_worse_than_live(...), ...]"
        raise Invalid(f"{file.name} declares no gates", expected=expected, found=type(found).__name__)
    return list(found)


def reports_of(blueprint: Blueprint, example: Example, training_set: TrainingSet) -> list[CheckReport]:
    """Examine the example rows and the matrix."""
    on = digest_of(training_set)
    plain = example.rows.select(field.name for field in example.request.fields)
    told = plain.with_columns(example.rows[OUTCOME].alias(example.outcome.name))
    matrix = {f"@{column.name}": column.name for column in example.features.columns}
    frames = {
        (Stage.KEPT, EXAMPLE): plain,
        (Stage.TEST, ""): told,
        (Stage.MATRIX, ""): example.rows.select(*matrix).rename(matrix),
    }
    return [
        examine(
            frame,
            [rule for rule in blueprint.rules if (rule.stage, rule.source) == (stage, source)],
            on=on,
            stage=stage,
            source=source,
            around=Around(rows_in=frame.height),
        )
        for (stage, source), frame in frames.items()
    ]
