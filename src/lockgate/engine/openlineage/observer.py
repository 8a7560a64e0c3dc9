"""Watches a walk and tells of it: each walk is a run of its project's job, each step a run of a job of its own.

- A step that was found was run by an earlier walk, and is not told again; the end of a walk names all it stands on.
- Nothing that is told, or can't be, stops a walk.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lockgate.engine.openlineage import facets
from lockgate.engine.openlineage.datasets import NAMESPACE, Found, find, inputs_of, outputs_of
from lockgate.kernel.canonical import Digest, parse
from lockgate.project.blueprint import Blueprint
from lockgate.records.check import CheckReport
from lockgate.records.line import Line, Step
from lockgate.records.package import Package
from lockgate.records.release import Release
from lockgate.records.snapshot import Snapshot
from lockgate.records.verdict import GateVerdict
from lockgate.registry.shelf import Shelf

__all__ = ["Guarded", "Observer", "Silence", "Teller"]

T = TypeVar("T")

_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_RUNS = uuid.UUID("5b0c1d0e-8f2b-5c55-9d3a-7a1f6f0e2c11")


class Observer(Protocol):
    """Whoever is told how a walk goes."""

    def began(self, label: str) -> None:
        """A step began."""

    def ended(self, label: str, step: Step) -> None:
        """A step is done."""

    def found(self, label: str, step: Step) -> None:
        """A step was done before."""

    def failed(self, label: str, error: Exception) -> None:
        """A step failed."""

    def finished(self, error: str) -> str:
        """The walk has ended, with an error or without; give what went wrong in telling, in words."""


class Silence:
    """Tells nobody.

    Args:
        why: what went wrong, if it is no choice.
    """

    def __init__(self, why: str = "") -> None:
        """Keep it for the end."""
        self._why = why

    def began(self, label: str) -> None:
        """Nothing."""

    def ended(self, label: str, step: Step) -> None:
        """Nothing."""

    def found(self, label: str, step: Step) -> None:
        """Nothing."""

    def failed(self, label: str, error: Exception) -> None:
        """Nothing."""

    def finished(self, error: str) -> str:  # noqa: ARG002 - as the protocol says
        """Give why nobody was told."""
        return self._why


class Sender(Protocol):
    """Takes events."""

    def send(self, event: dict[str, Any]) -> None:
        """Take one; never waits."""

    def close(self) -> str:
        """Wait a moment for what is under way; give what was not taken, in words."""


class Teller:
    """Tells of a walk in OpenLineage events.

    Args:
        shelf: where the records are.
        line: the walk.
        clock: the control clock.
        sender: takes the events.
    """

    def __init__(self, shelf: Shelf, line: Line, clock: Callable[[], datetime], sender: Sender) -> None:
        """Know nothing yet but the folder."""
        self._shelf = shelf
        self._line = line
        self._clock = clock
        self._sender = sender
        self._blueprint: Blueprint | None = None
        self._all: dict[Digest, Any] = {}
        self._told_start = False

    def began(self, label: str) -> None:
        """Tell that a step began."""
        self._start()
        self._send("START", label)

    def ended(self, label: str, step: Step) -> None:
        """Tell what a step consumed and produced."""
        consumed, produced = self._take(step)
        self._send("COMPLETE", label, consumed, produced)

    def found(self, label: str, step: Step) -> None:  # noqa: ARG002 - as the protocol says
        """Remember what an earlier walk produced."""
        self._start()
        self._take(step)

    def failed(self, label: str, error: Exception) -> None:
        """Tell why a step failed."""
        self._send("FAIL", label, error=str(error))

    def finished(self, error: str) -> str:
        """Tell that the walk has ended, and what it stands on."""
        self._start()
        made = {digest: one for digest, one in self._all.items() if isinstance(one, Package | Release)}
        read = {digest: one for digest, one in self._all.items() if isinstance(one, Snapshot)}
        self._send("FAIL" if error else "COMPLETE", "", Found(read), Found(made), error=error)
        return self._sender.close()

    def _start(self) -> None:
        if not self._told_start:
            self._told_start = True
            self._send("START", "")

    def _take(self, step: Step) -> tuple[Found, Found]:
        stored = self._shelf.ledger.records.get("blueprint", step.produced.get("blueprint", ""))
        if stored is not None:
            self._blueprint = parse(stored.body, Blueprint)
        produced = find(self._shelf, step.produced.values())
        learnt_from = [package.training_set for _, package in produced.of(Package)]
        consumed = find(self._shelf, [*step.consumed.values(), *learnt_from])
        self._all |= produced.records
        return consumed, produced

    def _send(
        self,
        kind: str,
        label: str,
        consumed: Found | None = None,
        produced: Found | None = None,
        *,
        error: str = "",
    ) -> None:
        consumed, produced = consumed or Found({}), produced or Found({})
        about: dict[str, Any] = {"parent": self._parent()} if label else {}
        if error:
            about["errorMessage"] = facets.error_message(error)
        tested = facets.tests(
            (report for _, report in produced.of(CheckReport)), (verdict for _, verdict in produced.of(GateVerdict))
        )
        if tested is not None:
            about["test"] = tested
        blueprint = self._blueprint
        self._sender.send(
            {
                "eventType": kind,
                "eventTime": self._clock().isoformat(),
                "producer": facets.PRODUCER,
                "schemaURL": _SCHEMA,
                "run": {"runId": self._run(label), "facets": about},
                "job": {"namespace": NAMESPACE, "name": self._job(label), "facets": self._job_facets(label)},
                "inputs": inputs_of(consumed, produced, blueprint) if blueprint else [],
                "outputs": outputs_of(produced, blueprint) if blueprint else [],
            }
        )

    def _run(self, label: str) -> str:
        return str(uuid.uuid5(_RUNS, f"{self._line.id} {label}".strip()))

    def _job(self, label: str) -> str:
        """Name the job: by the folder where the file was never read, for it says what the project is called."""
        return ".".join([Path(self._line.folder).name, *label.split()])

    def _parent(self) -> dict[str, Any]:
        walk = {"run": {"runId": self._run("")}, "job": {"namespace": NAMESPACE, "name": self._job("")}}
        return facets.facet("ParentRunFacet", "1-2-0", **walk, root=walk)

    def _job_facets(self, label: str) -> Mapping[str, Any]:
        line = self._line
        return {
            "jobType": facets.job_type("STEP" if label else "WALK"),
            "sourceCodeLocation": facets.facet(
                "SourceCodeLocationJobFacet",
                "1-1-0",
                type="git",
                url=Path(line.folder).as_uri(),
                path=line.folder,
                version=f"{line.commit}{'+dirty' if line.dirty else ''}",
            ),
        }


class Guarded:
    """Tells of a walk without ever stopping it: what goes wrong in telling is told at the end.

    Args:
        teller: who tells.
    """

    def __init__(self, teller: Observer) -> None:
        """Nothing went wrong yet."""
        self._teller = teller
        self._wrong = ""

    def began(self, label: str) -> None:
        """Tell that a step began."""
        self._try(lambda: self._teller.began(label))

    def ended(self, label: str, step: Step) -> None:
        """Tell what a step consumed and produced."""
        self._try(lambda: self._teller.ended(label, step))

    def found(self, label: str, step: Step) -> None:
        """Tell that a step was done before."""
        self._try(lambda: self._teller.found(label, step))

    def failed(self, label: str, error: Exception) -> None:
        """Tell why a step failed."""
        self._try(lambda: self._teller.failed(label, error))

    def finished(self, error: str) -> str:
        """Tell that the walk has ended; give what went wrong in telling."""
        said = self._try(lambda: self._teller.finished(error)) or ""
        return "; ".join(part for part in (said, self._wrong) if part)

    def _try(self, tell: Callable[[], T]) -> T | None:
        try:
            return tell()
        except Exception as error:  # noqa: BLE001 - a walk is worth more than what is told of it
            self._wrong = f"lineage could not be told: {type(error).__name__}: {error}"
            return None
