"""Routes of the registry's questions: what was live when, on which evidence."""

from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Response
from pydantic import AwareDatetime

from lockgate.engine.api.caller import needs
from lockgate.engine.installation import Installation
from lockgate.engine.past import standing_at
from lockgate.kernel.access import Scope

__all__ = ["add_registry_routes"]

Reader = Annotated[str, Depends(needs(Scope.READ))]


def add_registry_routes(app: FastAPI, where: Installation) -> None:
    """Add them to the application of an installation."""

    @app.get("/api/v1/endpoints/{name}/plan")
    def read_plan(name: str, at: AwareDatetime, _: Reader) -> Response:
        """The plan that was in force at a moment, with all that its releases rested on."""
        return _json(standing_at(where, name, at))


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), status, media_type="application/json")
