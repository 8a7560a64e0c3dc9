"""Routes of packages: what they are, and taking them out of the installation."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lockgate.engine.api.caller import needs
from lockgate.engine.api.once import once
from lockgate.engine.installation import Installation
from lockgate.engine.packages import export_package, show_package
from lockgate.kernel.access import Scope

__all__ = ["add_package_routes"]

Reader = Annotated[str, Depends(needs(Scope.READ))]
Releaser = Annotated[str, Depends(needs(Scope.RELEASE))]


class Export(BaseModel):
    """A package to take out."""

    model_config = ConfigDict(extra="forbid")

    what: str = Field(description="An endpoint (its live release), endpoint@v2, or a digest.")
    folder: Path = Field(description="Where to, on the machine of the control plane: a new or an empty folder.")


def add_package_routes(app: FastAPI, where: Installation) -> None:
    """Add them to the application of an installation."""

    @app.get("/api/v1/packages/{what}")
    def read_package(what: str, _: Reader) -> Response:
        """A package, by its endpoint (the live release), endpoint@v2 or a digest."""
        return _json(show_package(where, what))

    @app.post("/api/v1/packages/export")
    async def export(body: Export, request: Request, caller: Releaser) -> Response:
        """Write a package to a folder, with its signed release and its environment."""
        return await once(request, caller, lambda: _json(export_package(where, body.what, body.folder)))


def _json(value: Any) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), media_type="application/json")
