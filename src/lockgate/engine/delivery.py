"""Brings a decision about traffic to the workers: plan in the ledger, files on disk, then the push.

- The pointer `plan/<endpoint>` decides; it is moved by compare-and-swap from the plan that was read.
- Workers are told over the supervisor's socket and acknowledge; one that can't be reached polls its plan file.
"""

import contextlib
import json
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from lockgate.engine.installation import Installation
from lockgate.kernel.canonical import Digest, canonical, digest_of, parse
from lockgate.kernel.errors import Conflict, NotFound
from lockgate.kernel.names import nearest
from lockgate.ledger.protocols import Entry, Lease
from lockgate.records.rollout import Endpoint, TrafficPlan

__all__ = [
    "Delivered",
    "ask_supervisor",
    "create_endpoint",
    "current_plan",
    "deliver",
    "endpoint_names",
    "ensure_endpoint",
    "find_endpoint",
    "install_current",
]

_PATIENCE = 10.0


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that is in force."""

    # The plan.
    plan: TrafficPlan
    # Its digest.
    plan_id: Digest
    # What each worker that was reached said.
    acks: tuple[dict[str, Any], ...]
    # Workers that could not obey, and why; or that none is running.
    errors: tuple[str, ...]


def current_plan(where: Installation, endpoint: str) -> TrafficPlan | None:
    """Give the plan in force; None before the first."""
    pointer = where.shelf.ledger.pointers.read(f"plan/{endpoint}")
    return where.shelf.get(TrafficPlan, pointer.value) if pointer else None


def endpoint_names(where: Installation) -> list[str]:
    """Give the names of all endpoints."""
    return [stored.subject for stored in where.shelf.ledger.records.list("endpoint")]


def find_endpoint(where: Installation, name: str) -> Endpoint:
    """Give an endpoint.

    Raises:
        NotFound: there is none of that name; with the nearest that is there.
    """
    stored = where.shelf.ledger.records.get("endpoint", name)
    if stored is None:
        msg = f"There is no endpoint {name}"
        hint = nearest(name, endpoint_names(where)) or "lockgate ship makes one."
        raise NotFound(msg, expected="an endpoint of this installation", found=name, way_out=hint)
    return parse(stored.body, Endpoint)


def create_endpoint(where: Installation, name: str, *, replay: bool, by: str) -> Endpoint:
    """Make an endpoint; one that is there already with the same nature is given back.

    Raises:
        Conflict: it is there, but replays and this would not, or the other way round.
    """
    stored = where.shelf.ledger.records.get("endpoint", name)
    if stored is not None:
        found = parse(stored.body, Endpoint)
        if found.replay != replay:
            msg = f"The endpoint {name} is there already, and whether it replays can't be changed"
            raise Conflict(
                msg, expected=f"replay={replay}", found=f"replay={found.replay}", way_out="Choose another name."
            )
        return found
    now = where.clock()
    endpoint = Endpoint(name=name, replay=replay, by=by, at=now)
    entry = Entry(kind="endpoint", id=name, subject=name, body=canonical(endpoint), by=by, at=now)
    where.shelf.ledger.records.append(entry)
    return endpoint


def ensure_endpoint(where: Installation, name: str, *, by: str) -> None:
    """Make an ordinary endpoint, unless there is one of that name."""
    if where.shelf.ledger.records.get("endpoint", name) is None:
        create_endpoint(where, name, replay=False, by=by)


def install_current(where: Installation, name: str) -> None:
    """Write what an endpoint's workers read, for the plan in force; again if it changed meanwhile.

    So that of two who install at once, the one that is later leaves the newer plan, whatever it decided itself.
    """
    endpoint, installed = find_endpoint(where, name), None
    while (plan := current_plan(where, name)) is not None and plan != installed:
        where.shelf.install(endpoint, plan)
        installed = plan


def deliver(
    where: Installation,
    endpoint: str,
    decide: Callable[[TrafficPlan | None], TrafficPlan],
    *,
    by: str,
    fence: Lease | None = None,
) -> Delivered:
    """Decide on the plan in force, put the decision in force, and tell the workers.

    Raises:
        Conflict: the plan was changed by somebody else meanwhile; read it and decide again.
    """
    ensure_endpoint(where, endpoint, by=by)
    before = current_plan(where, endpoint)
    plan = decide(before)
    plan_id = digest_of(plan)
    if before is None or plan_id != digest_of(before):
        where.shelf.keep(plan, subject=endpoint, by=by, at=where.clock(), fence=fence)
        where.shelf.ledger.pointers.move(
            f"plan/{endpoint}",
            expected=digest_of(before) if before else None,
            value=plan_id,
            reason=plan.reason,
            by=by,
            at=where.clock(),
            fence=fence,
        )
    install_current(where, endpoint)
    answer = ask_supervisor(where, {"do": "obey", "endpoint": endpoint})
    if answer is None:
        return Delivered(plan=plan, plan_id=plan_id, acks=(), errors=("no endpoint is running; lockgate up starts it",))
    errors = tuple(str(error) for error in answer.get("errors", ()))
    return Delivered(plan=plan, plan_id=plan_id, acks=tuple(answer.get("acks", ())), errors=errors)


def ask_supervisor(where: Installation, question: dict[str, Any]) -> dict[str, Any] | None:
    """Ask the supervisor of this installation; None where none is running."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        path = json.loads(where.state.up.read_bytes())["socket"]
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(_PATIENCE)
            channel.connect(path)
            channel.sendall(json.dumps(question).encode() + b"\n")
            with channel.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        return answer if isinstance(answer, dict) else None
    return None
