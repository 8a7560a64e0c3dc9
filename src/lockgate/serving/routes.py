"""What can be asked over HTTP, and who answers it. Where a request comes from is not known here (`app`)."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import msgspec

from lockgate.kernel.access import Scope
from lockgate.kernel.errors import Fault, Invalid, LockgateError
from lockgate.serving.decode import peek_endpoint
from lockgate.serving.endpoint import Endpoint
from lockgate.serving.plane import Caller
from lockgate.serving.replies import Reply, json_reply
from lockgate.serving.roster import Roster
from lockgate.serving.surroundings import Surroundings

__all__ = ["Request", "Route", "Routes"]

_LONGEST_RETRY_KEY = 128
_APPLY_SECONDS = 1.0
_STATUS_SECONDS = 0.5


class Request(msgspec.Struct):
    """A request that was let in."""

    # What the path ends with, for routes that take a name.
    argument: str
    # Headers by name.
    headers: dict[str, str]
    # The name on the caller's grant; empty where none is needed.
    by: str
    # Reads the body.
    body: Callable[[], Awaitable[bytes]]
    # The endpoint it turned out to be about; empty until then.
    endpoint: str = ""


class Route(msgspec.Struct, frozen=True):
    """A path, and what it takes."""

    method: str
    answer: Callable[[Request], Awaitable[Reply]]
    # One of these scopes is needed; none where anybody may ask.
    scopes: tuple[Scope, ...] = ()
    # Whether somebody without a token is answered as well, with less.
    half_open: bool = False


class Routes:
    """The routes of a worker.

    Args:
        around: what the worker gives.
        roster: its endpoints.
    """

    def __init__(self, around: Surroundings, roster: Roster) -> None:
        self._around, self._roster = around, roster
        # One thread: the log's index is not made for two, and outcomes keep their order.
        self._searching = ThreadPoolExecutor(1, "search")
        self._exact = {
            "/livez": Route("GET", self._alive),
            "/readyz": Route("GET", self._ready, (Scope.READ,), half_open=True),
            "/metrics": Route("GET", self._metrics, (Scope.READ,)),
            "/v1/outcomes": Route("POST", self._outcomes, (Scope.OUTCOME,)),
        }
        self._named = {
            "/v1/predict/": Route("POST", self._predict, (Scope.PREDICT,)),
            "/v1/events/": Route("POST", self._events, (Scope.EVENT,)),
            "/v1/endpoints/": Route("GET", self._describe, (Scope.READ, Scope.PREDICT)),
        }

    @property
    def paths(self) -> list[str]:
        """The paths there are, for people."""
        return [*self._exact, *(f"{prefix}NAME" for prefix in self._named)]

    def find(self, path: str) -> tuple[Route, str] | None:
        """Give the route of a path, and the name it ends with."""
        if (route := self._exact.get(path)) is not None:
            return route, ""
        prefix, slash, name = path.rpartition("/")
        named = self._named.get(prefix + slash)
        return (named, name) if named is not None and name else None

    async def _predict(self, request: Request) -> Reply:
        endpoint = self._find(request, request.argument)
        caller = Caller(request.by, _retry_key(request.headers))
        body = await request.body()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        endpoint.plane.submit(body, caller, partial(_settle, answer))
        return Reply(200, await answer)

    async def _outcomes(self, request: Request) -> Reply:
        body = await request.body()
        endpoint = self._find(request, peek_endpoint(body))
        read = partial(
            endpoint.outcome_reader.read,
            body,
            index=endpoint.index,
            clock=endpoint.clock,
            now=self._around.now(),
            by=request.by,
        )
        outcomes = await asyncio.get_running_loop().run_in_executor(self._searching, read)
        endpoint.hear(outcomes)
        self._around.tally.count("lockgate_outcomes_total", len(outcomes), endpoint=endpoint.name)
        return json_reply({"accepted": len(outcomes)})

    async def _events(self, request: Request) -> Reply:
        body = await request.body()
        endpoint = self._find(request, peek_endpoint(body))
        reader = endpoint.event_readers.find(request.argument)
        events = reader.read(body, clock=endpoint.clock, now=self._around.now(), by=request.by)
        place = endpoint.post(events)
        self._around.tally.count("lockgate_events_total", len(events), endpoint=endpoint.name, source=request.argument)
        applied = await self._applied(endpoint.name, place)
        return json_reply({"accepted": len(events), "applied": applied})

    async def _applied(self, endpoint: str, place: tuple[str, int]) -> bool:
        """Wait a moment until what was posted is in the store, so that who posted and then asks is answered with it."""
        ingest = self._around.ingest
        return ingest is not None and await ingest.caught_up(endpoint, *place, _APPLY_SECONDS)

    async def _describe(self, request: Request) -> Reply:
        return json_reply(_summary(self._find(request, request.argument)))

    async def _alive(self, _: Request) -> Reply:
        return json_reply({"alive": True})

    async def _ready(self, request: Request) -> Reply:
        states = self._roster.states()
        ready = all(state.ready for state in states.values())
        answer: dict[str, Any] = {"ready": ready}
        if request.by:
            answer["endpoints"] = states
        return json_reply(answer, 200 if ready else 503)

    async def _metrics(self, _: Request) -> Reply:
        endpoints = self._roster.endpoints.values()
        gauges: dict[str, dict[str, float]] = {
            "lockgate_plan_number": {one.name: one.plan.number for one in endpoints},
            "lockgate_queue_rows": {one.name: one.plane.waiting for one in endpoints},
            "lockgate_ready": {name: int(state.ready) for name, state in self._roster.states().items()},
        }
        gauges |= await self._ingest_gauges()
        text = self._around.tally.text(gauges)
        return Reply(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")

    async def _ingest_gauges(self) -> dict[str, dict[str, float]]:
        """Give how far ingest is; without it, that it is down."""
        said = None if self._around.ingest is None else await self._around.ingest.status(_STATUS_SECONDS)
        names = self._roster.endpoints
        if said is None or "endpoints" not in said:
            return {"lockgate_ingest_up": dict.fromkeys(names, 0)}
        told = {name: one for name, one in said["endpoints"].items() if name in names}
        return {
            "lockgate_ingest_up": dict.fromkeys(told, 1),
            "lockgate_ingest_lag_rows": {name: one["lag_rows"] for name, one in told.items()},
            "lockgate_ingest_lag_seconds": {name: one["lag_seconds"] for name, one in told.items()},
        }

    def _find(self, request: Request, name: str) -> Endpoint:
        endpoint = self._roster.find(name)
        request.endpoint = endpoint.name
        return endpoint


def _settle(future: asyncio.Future[bytes], answer: bytes | LockgateError) -> None:
    if future.done():
        # Who asked is gone.
        return
    if isinstance(answer, LockgateError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _retry_key(headers: dict[str, str]) -> str | None:
    key = headers.get("idempotency-key")
    if key is None or (0 < len(key) <= _LONGEST_RETRY_KEY and key.isprintable()):
        return key
    expected = f"1 to {_LONGEST_RETRY_KEY} characters that can be printed"
    fault = Fault(at="Idempotency-Key", expected=expected, found=f"{len(key)} characters")
    raise Invalid("This Idempotency-Key can't be taken", faults=(fault,))


def _summary(endpoint: Endpoint) -> dict[str, Any]:
    """Say what an endpoint takes and who answers."""
    contract, live, plan = endpoint.live.contract, endpoint.live, endpoint.plan
    request = contract.request
    return {
        "endpoint": endpoint.name,
        "replay": endpoint.spec.replay,
        "plan": plan.number,
        "level": plan.level,
        "version": live.release.name,
        "release": live.digest,
        "previous": plan.previous,
        "key": request.key,
        "asked_at": request.asked_at,
        "lateness_seconds": request.lateness.total_seconds(),
        "timezone": contract.features.timezone,
        "fields": request.fields,
        "rules": [{"rule": one.name, "refuses": one.at_most == 0} for one in contract.guards],
        "outcome": {"name": contract.outcome.name, "type": contract.outcome.returns},
        "task": contract.task,
        "threshold": contract.threshold,
        "sources": [source.name for source in contract.sources],
    }
