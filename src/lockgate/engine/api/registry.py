"""Routes of the registry: what was live when, model cards, how two differ, what is kept and why, and freeing space."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lockgate.engine.api.caller import needs
from lockgate.engine.api.once import once
from lockgate.engine.card import gather_card
from lockgate.engine.differing import compare_packages
from lockgate.engine.installation import Installation
from lockgate.engine.past import standing_at
from lockgate.engine.retention import Retention, find_garbage, why_kept
from lockgate.engine.sweeping import sweep
from lockgate.kernel.access import Scope

__all__ = ["add_registry_routes"]

Reader = Annotated[str, Depends(needs(Scope.READ))]
Admin = Annotated[str, Depends(needs(Scope.ADMIN))]


class Keep(BaseModel):
    """How much is kept."""

    model_config = ConfigDict(extra="forbid")

    keep_for: timedelta = Field(timedelta(days=90), description="How far back everything is kept; a day or more.")
    keep_releases: int = Field(3, description="How many releases of each endpoint are kept, however old.")

    def retention(self) -> Retention:
        """Give it as the engine takes it."""
        return Retention(keep_for=self.keep_for, keep_releases=self.keep_releases)


def add_registry_routes(app: FastAPI, where: Installation) -> None:
    """Add them to the application of an installation."""

    @app.get("/api/v1/endpoints/{name}/plan")
    def read_plan(name: str, at: AwareDatetime, _: Reader) -> Response:
        """The plan that was in force at a moment, with all that its releases rested on."""
        return _json(standing_at(where, name, at))

    @app.get("/api/v1/packages/{what}/card")
    def read_card(what: str, _: Reader) -> Response:
        """The facts of a package's model card: all that is recorded about it."""
        return _json(gather_card(where, what))

    @app.get("/api/v1/packages/{first}/diff/{second}")
    def read_difference(first: str, second: str, _: Reader) -> Response:
        """How two packages differ: data, code, environment, parameters, metrics, answers to the same rows."""
        with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
            return _json(compare_packages(where, first, second, Path(scratch)))

    @app.get("/api/v1/garbage")
    def read_garbage(asked: Annotated[Keep, Query()], _: Reader) -> Response:
        """What no rule of retention keeps: what could be deleted, why, and how many bytes that is."""
        return _json(find_garbage(where, asked.retention()))

    @app.get("/api/v1/garbage/{digest}")
    def read_why(digest: str, asked: Annotated[Keep, Query()], _: Reader) -> Response:
        """Which rule keeps something, and by which path of mentions."""
        return _json(why_kept(where, asked.retention(), digest))

    @app.post("/api/v1/garbage/sweep")
    async def free(body: Keep, request: Request, caller: Admin) -> Response:
        """Delete what no rule of retention keeps; no walk begins meanwhile."""
        return await once(request, caller, lambda: _json(sweep(where, body.retention(), by=caller)))


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), status, media_type="application/json")
