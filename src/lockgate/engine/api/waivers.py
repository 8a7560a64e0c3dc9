"""Routes about what a gate stopped: waiving it, and going on with the walk."""

from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lockgate.engine.api.caller import needs
from lockgate.engine.api.once import once
from lockgate.engine.installation import Installation
from lockgate.engine.reconcile import open_again
from lockgate.engine.runner import Runner
from lockgate.engine.waiving import waive, waivers_of
from lockgate.kernel.access import Scope

__all__ = ["add_waiver_routes"]

Reader = Annotated[str, Depends(needs(Scope.READ))]
Releaser = Annotated[str, Depends(needs(Scope.RELEASE))]


class NewWaiver(BaseModel):
    """A verdict to waive."""

    model_config = ConfigDict(extra="forbid")

    walk: str = Field(description="The walk that a gate stopped.")
    gate: str = Field(description="The gate, by name.")
    reason: str = Field(max_length=1000, description="Why its verdict need not hold this package back.")
    until: AwareDatetime = Field(description="When the gate is shut again; with a zone, 90 days away at most.")


class Again(BaseModel):
    """How to go on with a walk."""

    model_config = ConfigDict(extra="forbid")

    rollout: bool = Field(default=True, description="Put the release live, if that was asked for then.")


def add_waiver_routes(app: FastAPI, where: Installation, runner: Runner) -> None:
    """Add them to the application of an installation; `runner` walks what goes on."""

    @app.get("/api/v1/endpoints/{name}/waivers")
    def read_waivers(name: str, _: Reader) -> Response:
        """Every waiver that was given for packages of an endpoint, newest first; also before its first release."""
        return _json(waivers_of(where, name))

    @app.post("/api/v1/waivers", status_code=201)
    async def make_waiver(body: NewWaiver, request: Request, caller: Releaser) -> Response:
        """Waive what one gate decided about the package of a walk, for a while; signed."""

        def work() -> Response:
            return _json(waive(where, body.walk, body.gate, body.reason, body.until, by=caller), 201)

        return await once(request, caller, work)

    @app.post("/api/v1/lines/{line}/again", status_code=202)
    async def go_on(line: str, body: Again, request: Request, caller: Releaser) -> Response:
        """Go on with a walk that was stopped: opens one with the readings of its sources that it made."""

        def work() -> Response:
            opened = open_again(where, line, rollout=body.rollout, attended=runner.attended, by=caller)
            runner.wake(opened)
            return _json({"id": opened.id, "attended": opened.attended}, 202)

        return await once(request, caller, work)


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), status, media_type="application/json")
