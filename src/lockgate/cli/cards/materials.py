"""A model card as a bill of materials: CycloneDX 1.6, a machine-learning model with its data and its environment.

What was not measured is left out, as the format has it: an absent field says nothing. The same package gives the same
serial number and the same references.
"""

import json
import re
import uuid
from typing import Any
from urllib.parse import quote

__all__ = ["bill_of_materials"]

_SHA = "sha256:"


def bill_of_materials(card: dict[str, Any]) -> str:
    """Write a card as CycloneDX 1.6 JSON."""
    return json.dumps(_bill(card), indent=2, ensure_ascii=False) + "\n"


def _bill(card: dict[str, Any]) -> dict[str, Any]:
    package, release = card["package"]["package"], card["package"]["release"]
    digits = package["package"].removeprefix(_SHA)
    libraries, data = _libraries(card), _data(card)
    files = [_file(one) for one in package["manifest"]["files"]]
    parts = [*libraries, *data, *files]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(digits[:32])}",
        "version": 1,
        "metadata": {
            "timestamp": release["at"],
            "tools": {"components": [_tool(card)]},
            "component": _model(card, data),
        },
        "components": parts,
        "dependencies": [{"ref": package["package"], "dependsOn": [one["bom-ref"] for one in parts]}],
    }


def _tool(card: dict[str, Any]) -> dict[str, Any]:
    version = card["package"]["environment"]["packages"].get("lockgate")
    return {"type": "application", "name": "lockgate", **({"version": version} if version else {})}


def _model(card: dict[str, Any], data: list[dict[str, Any]]) -> dict[str, Any]:
    package, release = card["package"]["package"], card["package"]["release"]
    return {
        "type": "machine-learning-model",
        "bom-ref": package["package"],
        "name": release["endpoint"],
        "version": card["release"]["version"],
        "hashes": _hashes(package["package"]),
        "modelCard": _card(card, data),
        "properties": [
            _property("release", card["package"]["release_id"]),
            _property("released-by", release["by"]),
            _property("signed-by", card["package"]["signed_by"]),
            _property("commit", release["commit"] or "none"),
            _property("dirty", str(release["dirty"]).lower()),
            _property("format", package["manifest"]["format"]),
            _property("runtime", package["manifest"]["runtime"]),
            *(_gate(one) for one in card["release"]["gates"]),
            *(_waiver(one["waiver"]) for one in card["release"]["gates"] if one["waiver"]),
            *(
                _property(f"parameter:{name}", json.dumps(value, ensure_ascii=False))
                for name, value in package["manifest"]["parameters"].items()
            ),
        ],
    }


def _card(card: dict[str, Any], data: list[dict[str, Any]]) -> dict[str, Any]:
    contract, fitted = card["contract"], card["training_run"]["fitted"]
    known = {"architectureFamily": fitted.partition(" ")[0], "modelArchitecture": fitted} if fitted else {}
    # Of what was fitted elsewhere nobody here knows how.
    approach = {} if card["package"]["imported"] else {"approach": {"type": "supervised"}}
    parameters = {
        **approach,
        "task": {"binary": "classification"}.get(contract["task"], contract["task"]),
        **known,
        "datasets": [{"ref": one["bom-ref"]} for one in data],
        "inputs": [{"format": f"{one['name']}: {one['kind']}"} for one in contract["request"]["fields"]],
        "outputs": [{"format": f"{contract['outcome']['name']}: {contract['outcome']['returns']}"}],
    }
    metrics = [metric for one in card["evidence"] if one["kind"] == "metrics" for metric in _metrics(one)]
    return {
        "modelParameters": parameters,
        **({"quantitativeAnalysis": {"performanceMetrics": metrics}} if metrics else {}),
    }


def _metrics(evidence: dict[str, Any]) -> list[dict[str, str]]:
    on = f"{evidence['values'].get('rows', 'some')} test rows of {evidence['on']}"
    return [
        {"type": name, "value": repr(value), "slice": on}
        for name, value in evidence["values"].get("metrics", {}).items()
        if isinstance(value, int | float)
    ]


def _data(card: dict[str, Any]) -> list[dict[str, Any]]:
    digest = card["training_run"]["training_set"]
    rows = card["training_set"]
    sets = [("training set", digest, f"{rows['train_rows']} rows to learn from, {rows['test_rows']} to be tested on")]
    sets += [
        (one["source"], one["snapshot"], f"{one['rows']} rows, {one['columns']} columns") for one in card["snapshots"]
    ]
    return [
        {
            "type": "data",
            "bom-ref": f"{name}#{ref}",
            "name": name,
            "version": ref,
            "hashes": _hashes(ref),
            "data": [{"type": "dataset", "name": name, "description": text}],
        }
        for name, ref, text in sets
    ]


def _libraries(card: dict[str, Any]) -> list[dict[str, Any]]:
    environment = card["package"]["environment"]
    python = {"type": "platform", "bom-ref": f"python@{environment['python']}", "name": "Python"}
    found = [{**python, "version": environment["python"]}]
    for name, version in environment["packages"].items():
        purl = f"pkg:pypi/{re.sub(r'[-_.]+', '-', name).lower()}@{quote(version, safe='')}"
        found.append({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
    return found


def _file(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "file",
        "bom-ref": f"file:{one['path']}",
        "name": one["path"],
        "hashes": _hashes(one["digest"]),
        "properties": [_property("bytes", str(one["bytes"]))],
    }


def _gate(one: dict[str, Any]) -> dict[str, str]:
    return _property(f"gate:{one['gate']}", f"{one['verdict']}: expected {one['expected']}, found {one['found']}")


def _waiver(one: dict[str, Any]) -> dict[str, str]:
    said = f"{one['state']}, until {one['until']}, by {one['by']}: {one['reason']}"
    return _property(f"waiver:{one['gate']}", said)


def _property(name: str, value: str) -> dict[str, str]:
    return {"name": f"lockgate:{name}", "value": value}


def _hashes(digest: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": digest.removeprefix(_SHA)}]
