"""What the official side says of events: its Python classes, made from its schemas, and the schemas themselves.

The schemas are no part of this repository. `OPENLINEAGE_SPEC` names the folder `spec` of a checkout of
OpenLineage/OpenLineage; without it only the classes judge.
"""

import importlib
import json
import pkgutil
import typing
from pathlib import Path
from typing import Any

import attr
from jsonschema import Draft202012Validator, FormatChecker
from openlineage.client import generated
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.serde import Serde
from referencing import Registry, Resource

__all__ = ["as_official_classes_write_it", "faults_by_schema"]

OURS = Path(__file__).parents[2] / "docs" / "spec" / "openlineage"


def _classes() -> dict[str, type[Any]]:
    modules = [
        importlib.import_module(f"{generated.__name__}.{one.name}") for one in pkgutil.iter_modules(generated.__path__)
    ]
    return {name: value for module in modules for name, value in vars(module).items() if attr.has(value)}


CLASSES = _classes()


def as_official_classes_write_it(event: dict[str, Any], producer: str) -> dict[str, Any]:
    """Make an event again out of the official classes, and write it as they do; unknown fields raise."""
    official = RunEvent(
        eventType=RunState[event["eventType"]],
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=Run(runId=event["run"]["runId"], facets=_facets(event["run"]["facets"], producer)),
        job=Job(
            namespace=event["job"]["namespace"],
            name=event["job"]["name"],
            facets=_facets(event["job"]["facets"], producer),
        ),
        inputs=[_dataset(InputDataset, one, "inputFacets", producer) for one in event["inputs"]],
        outputs=[_dataset(OutputDataset, one, "outputFacets", producer) for one in event["outputs"]],
    )
    return typing.cast("dict[str, Any]", Serde.to_dict(official))


def _dataset(kind: type[Any], content: dict[str, Any], more: str, producer: str) -> Any:  # noqa: ANN401 - one of two classes
    return kind(
        namespace=content["namespace"],
        name=content["name"],
        facets=_facets(content.get("facets", {}), producer),
        **{more: _facets(content.get(more, {}), producer)},
    )


def _facets(content: dict[str, Any], producer: str) -> dict[str, Any]:
    return {name: _facet(one, producer) for name, one in content.items() if not name.startswith("lockgate_")}


def _facet(content: dict[str, Any], producer: str) -> Any:  # noqa: ANN401 - a class of theirs
    name = content["_schemaURL"].rpartition("/")[2]
    fields = {key: value for key, value in content.items() if not key.startswith("_")}
    return _made(CLASSES[name], {**fields, "producer": producer})


def _made(kind: type[Any], content: dict[str, Any]) -> Any:  # noqa: ANN401 - likewise
    hints = typing.get_type_hints(kind)
    return kind(**{name: _value(hints.get(name), value) for name, value in content.items()})


def _value(hint: Any, value: Any) -> Any:  # noqa: ANN401 - any annotation, any JSON
    parts = [one for one in typing.get_args(hint) if one is not type(None)]
    if attr.has(hint) and isinstance(value, dict):
        return _made(hint, value)
    if typing.get_origin(hint) is list:
        return [_value(parts[0], one) for one in value]
    if typing.get_origin(hint) is dict:
        return {key: _value(parts[-1], one) for key, one in value.items()}
    return _value(parts[0], value) if parts else value


def faults_by_schema(event: dict[str, Any], spec: Path) -> list[str]:
    """Hold an event, and each facet by its own URL, against the official schemas and ours; give what is wrong."""
    files = [spec / "OpenLineage.json", *spec.glob("facets/*.json"), *OURS.glob("*.json")]
    schemas = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    registry: Registry[Any] = Registry().with_resources([(one["$id"], Resource.from_contents(one)) for one in schemas])
    asked = [(event["schemaURL"], event)]
    for holder, name in _holders(event):
        asked += [(one["_schemaURL"], one) for one in holder.get(name, {}).values()]
    return [
        f"{url}: {fault.json_path}: {fault.message}"
        for url, content in asked
        for fault in Draft202012Validator({"$ref": url}, registry=registry, format_checker=FormatChecker()).iter_errors(
            content
        )
    ]


def _holders(event: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    sets = [*event["inputs"], *event["outputs"]]
    names = ("facets", "inputFacets", "outputFacets")
    return [(event["run"], "facets"), (event["job"], "facets"), *((one, name) for one in sets for name in names)]
