"""What the features of a blueprint mean, each as a definition with a digest; and how two definitions differ.

A definition covers all that a version stands for: the function, what feeds it, and the definitions of the features,
windows and look-ups that it reads. The zone in which times are handed over is the project's, not the feature's.
"""

import difflib
from collections.abc import Mapping

from msgspec.structs import replace

from lockgate.kernel.canonical import Digest, digest_of
from lockgate.project.blueprint import Blueprint
from lockgate.records.features import FeatureDefinition, FeatureSet, FeatureSpec, InputKind

__all__ = ["definitions", "difference"]


def definitions(blueprint: Blueprint) -> dict[str, FeatureDefinition]:
    """Give the definition of each feature, by its name in the feature set; each after those it reads."""
    registered = {note.feature: note.registered for note in blueprint.feature_notes}
    known = _read_besides(blueprint.features)
    found: dict[str, FeatureDefinition] = {}
    for feature in blueprint.features.features:
        name = registered[feature.name]
        found[feature.name] = FeatureDefinition(
            name=name,
            version=feature.version,
            inputs=feature.inputs,
            reads=_reads(feature, known),
            returns=feature.returns,
            code=feature.code,
        )
        known[f"feature {feature.name}"] = digest_of(found[feature.name])
    return found


def _read_besides(features: FeatureSet) -> dict[str, Digest]:
    """Give what windows and look-ups mean, apart from the columns that others read of them."""
    windows = {f"window {one.name}": replace(one, columns=(), value_type=None) for one in features.windows}
    lookups = {f"lookup {one.source}": replace(one, columns=()) for one in features.lookups}
    return {name: digest_of(one) for name, one in (windows | lookups).items()}


def _reads(feature: FeatureSpec, known: Mapping[str, Digest]) -> dict[str, Digest]:
    names = {
        InputKind.FEATURE: lambda one: f"feature {one.name}",
        InputKind.WINDOW: lambda one: f"window {one.source}",
        InputKind.LOOKUP: lambda one: f"lookup {one.source}",
    }
    read = {names[one.kind](one) for one in feature.inputs if one.kind in names}
    return {name: known[name] for name in sorted(read)}


def difference(old: FeatureDefinition, new: FeatureDefinition) -> str:
    """Give what differs between two definitions, as a unified diff of their texts."""
    lines = difflib.unified_diff(
        _text(old), _text(new), f"{old.name} version {old.version}, as released", "as it is now", lineterm="", n=2
    )
    return "\n".join(lines)


def _text(definition: FeatureDefinition) -> list[str]:
    reads = [f"# reads {name} {digest}" for name, digest in definition.reads.items()]
    inputs = [
        f"# {one.parameter} is {one.kind.value} {one.source and one.source + '.'}{one.name}"
        for one in definition.inputs
    ]
    literals = [f"{name} = {text}" for name, text in definition.code.literals.items()]
    return [*reads, *inputs, f"# gives {definition.returns.value}", *literals, *definition.code.source.splitlines()]
