"""What a model card says, section by section, from the facts of the API; how it looks is decided elsewhere.

Nothing is concluded, and nothing invented: what was not measured, and what nobody wrote down, is said to be so.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

__all__ = ["NOT_MEASURED", "Section", "sections", "title"]

NOT_MEASURED = "not measured"
_NOT_SAID = "nobody wrote it down"

_MEASURED = {
    "metrics": "Quality on test rows",
    "reference": "Answers as the fitted object gave them",
    "runtime": "Answers as the model's own library gives them",
    "performance": "Latency and memory",
    "rebuild": "Made again from its commit",
}
"""What a card says of each kind of evidence, whether there is any or not."""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a card: a table, with a sentence below it."""

    title: str
    # The heads of its columns; two empty ones where each row is a name and what is so named.
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


def title(card: dict[str, Any]) -> str:
    """Name the model."""
    return f"{card['package']['release']['endpoint']} {card['release']['version']}"


def sections(card: dict[str, Any]) -> Iterator[Section]:
    """Give the sections of a card, in order."""
    yield _facts("What it is", _identity(card))
    yield _facts("What it is for", _purpose(card))
    yield _request(card)
    yield _features(card)
    yield _facts("Rows it learnt from", _rows(card))
    yield _snapshots(card)
    yield _checks(card)
    yield _facts("How it was fitted", _fit(card))
    for kind, name in _named(card).items():
        yield _evidence(card, kind, name)
    yield _gates(card)
    yield _waivers(card)
    yield _files(card)
    yield _environment(card)
    yield _facts("What nobody said", _unsaid())


def _facts(name: str, rows: Sequence[tuple[str, str]], note: str = "") -> Section:
    return Section(title=name, heads=("", ""), rows=tuple(rows), note=note)


def _identity(card: dict[str, Any]) -> list[tuple[str, str]]:
    release, package = card["package"]["release"], card["package"]["package"]
    mark = ", with uncommitted changes" if release["dirty"] else ""
    return [
        ("model", title(card)),
        ("level when this was written", f"{card['release']['level']}, {moment(card['at'])}"),
        ("package", package["package"]),
        ("release", card["package"]["release_id"]),
        ("released", f"by {release['by']}, {moment(release['at'])}"),
        ("signed by", f"key {card['package']['signed_by']}; the signature was verified"),
        ("commit", f"{release['commit']}{mark}" if release["commit"] else "none: it was imported"),
        ("imported from", card["package"]["imported"] or "nowhere: it was fitted here"),
        ("format, runtime", f"{package['manifest']['format']}, {package['manifest']['runtime']}"),
        ("size", f"{package['bytes']:,} bytes"),
    ]


def _purpose(card: dict[str, Any]) -> list[tuple[str, str]]:
    contract = card["contract"]
    outcome, request = contract["outcome"], contract["request"]
    bar = f"; true from a score of {contract['threshold']:g} on" if contract["task"] == "binary" else ""
    return [
        ("foresees", f"{outcome['name']} ({outcome['returns']}), {contract['task']}{bar}"),
        ("asked", f"one {request['name']} at a time, told apart by {request['key']}, asked at {request['asked_at']}"),
        ("outcome is told by", ", ".join([outcome["source"], *outcome["inputs"]])),
        ("final after", f"{outcome['final_after']}; rows that never get one: {outcome['never']}"),
        ("intended users, uses to avoid", _NOT_SAID),
    ]


def _request(card: dict[str, Any]) -> Section:
    rows = [
        (one["name"], one["kind"], "yes" if one["nullable"] else "no", _range(one), one["unseen"])
        for one in card["contract"]["request"]["fields"]
    ]
    heads = ("field", "type", "may be null", "range", "unseen category")
    return Section(title="What it is asked", heads=heads, rows=tuple(rows))


def _range(field: dict[str, Any]) -> str:
    low, high = field["low"], field["high"]
    return "any" if low is None and high is None else f"{_plain(low)} to {_plain(high)}"


def _features(card: dict[str, Any]) -> Section:
    known = {one["name"].rpartition("/")[2]: one for one in card["features"]}
    specs = {one["name"]: one for one in card["contract"]["features"]["features"]}
    rows = []
    for column in card["contract"]["features"]["columns"]:
        name = column["origin"]
        note, spec = known.get(name, {}), specs.get(name)
        rows.append(
            (
                column["name"],
                column["kind"],
                ", ".join(note.get("columns", ())) or column["source"] or name,
                f"v{spec['version']}" if spec and column["kind"] == "feature" else "",
                note.get("owner", ""),
                note.get("description", ""),
            )
        )
    heads = ("column", "kind", "from", "version", "owner", "description")
    return Section(title="What the model sees", heads=heads, rows=tuple(rows))


def _rows(card: dict[str, Any]) -> list[tuple[str, str]]:
    one = card["training_set"]
    left = ", ".join(f"{count:,} {reason}" for reason, count in one["left_out"].items())
    return [
        ("training set", card["training_run"]["training_set"]),
        ("rows to learn from", f"{one['train_rows']:,}"),
        ("rows to be tested on", f"{one['test_rows']:,}, asked from {moment(one['test_from'])} on"),
        ("asked between", f"{moment(one['first_asked'])} and {moment(one['last_asked'])}"),
        ("known until", moment(one["known_until"])),
        ("left out", left or "none"),
    ]


def _snapshots(card: dict[str, Any]) -> Section:
    rows = [
        (
            one["source"],
            one["snapshot"],
            f"{one['rows']:,}",
            moment(one["first_event"]),
            moment(one["last_event"]),
            moment(one["known_until"]),
        )
        for one in card["snapshots"]
    ]
    heads = ("source", "snapshot", "rows", "first event", "last event", "known until")
    return Section(title="Snapshots", heads=heads, rows=tuple(rows), note="" if rows else "It was made of none.")


def _checks(card: dict[str, Any]) -> Section:
    rows = tuple((one["place"], one["verdict"], one["found"]) for one in card["release"]["checks"])
    note = "" if rows else f"Checks of data: {NOT_MEASURED}."
    return Section(title="Checks of its data", heads=("stage", "verdict", "found"), rows=rows, note=note)


def _fit(card: dict[str, Any]) -> list[tuple[str, str]]:
    run = card["training_run"]
    facts = [
        ("training run", card["package"]["release"]["training_run"]),
        ("class", run["fitted"] or _NOT_SAID),
        ("took", f"{run['seconds']:.1f} s on {run['machine']['cores']} cores of {run['machine']['processor']}"),
    ]
    parameters = card["package"]["package"]["manifest"]["parameters"]
    facts += [(f"parameter {name}", _plain(value)) for name, value in parameters.items()]
    return facts if parameters else [*facts, ("parameters", "none")]


def _named(card: dict[str, Any]) -> dict[str, str]:
    """Give the kinds of evidence that a card speaks of: those that it always does, and what else there is."""
    others = {one["kind"] for one in card["evidence"]} - _MEASURED.keys()
    return _MEASURED | {kind: f"Measured: {kind}" for kind in sorted(others)}


def _evidence(card: dict[str, Any], kind: str, name: str) -> Section:
    found = [one for one in card["evidence"] if one["kind"] == kind]
    rows = [row for one in found for row in _values(one["values"])]
    if not found:
        return _facts(name, [(kind, NOT_MEASURED)])
    on = "; ".join(f"on {one['on']}, {moment(one['at'])}, {one['machine']['processor']}" for one in found)
    return _facts(name, rows, f"Measured {on}.")


def _values(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Give every number and word of some evidence, under its path."""
    if value in ({}, []):
        yield path, "none"
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _values(one, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        for place, one in enumerate(value):
            yield from _values(one, f"{path}[{place}]")
    else:
        yield path, _plain(value)


def _gates(card: dict[str, Any]) -> Section:
    rows = tuple(
        (one["gate"], one["verdict"], one["expected"], "; ".join(filter(None, (one["found"], one["note"]))))
        for one in card["release"]["gates"]
    )
    return Section(title="Gates", heads=("gate", "verdict", "expected", "found"), rows=rows)


def _waivers(card: dict[str, Any]) -> Section:
    rows = tuple(
        (one["gate"], one["state"], moment(one["until"]), one["by"], moment(one["at"]), one["reason"])
        for one in (gate["waiver"] for gate in card["release"]["gates"])
        if one is not None
    )
    note = "" if rows else "None: every gate opened by its verdict."
    return Section(title="Waivers", heads=("gate", "state", "until", "by", "given", "reason"), rows=rows, note=note)


def _files(card: dict[str, Any]) -> Section:
    files = card["package"]["package"]["manifest"]["files"]
    rows = tuple((one["path"], f"{one['bytes']:,}", one["digest"]) for one in files)
    return Section(title="Files", heads=("file", "bytes", "digest"), rows=rows)


def _environment(card: dict[str, Any]) -> Section:
    found = card["package"]["environment"]
    rows = (("Python", found["python"]), *found["packages"].items())
    note = f"Environment {card['package']['package']['manifest']['environment']}."
    return Section(title="Environment", heads=("distribution", "version"), rows=rows, note=note)


def _unsaid() -> list[tuple[str, str]]:
    asked = (
        "fairness between groups of people",
        "ethical considerations",
        "behaviour on other data than the test rows",
    )
    return [*((one, NOT_MEASURED) for one in asked), ("licence", _NOT_SAID)]


def moment(text: str | None) -> str:
    """Write a moment to the second; a table has none."""
    return "-" if text is None else f"{text[:19].replace('T', ' ')} UTC"


def _plain(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool | int):
        return str(value)
    return f"{value:.6g}" if isinstance(value, float) else value if isinstance(value, str) else json.dumps(value)
