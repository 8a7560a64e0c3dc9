"""Routes of the register of features, and of lineage."""

from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field

from lockgate.engine.api.caller import needs
from lockgate.engine.installation import Installation
from lockgate.engine.lineage import trace
from lockgate.engine.register import check_versions, list_features, show_feature
from lockgate.kernel.access import Scope
from lockgate.project.blueprint import Blueprint

__all__ = ["add_feature_routes"]

Reader = Annotated[str, Depends(needs(Scope.READ))]


class Compiled(BaseModel):
    """A compiled project."""

    model_config = ConfigDict(extra="forbid")

    blueprint: dict[str, Any] = Field(description="The blueprint record.")
    places: dict[str, str] = Field(default={}, description="Where its parts were declared, for what is said of them.")


def add_feature_routes(app: FastAPI, where: Installation) -> None:
    """Add them to the application of an installation."""

    @app.get("/api/v1/features")
    def read_features(_: Reader) -> Response:
        """Every feature that was released: versions, owner, description, and the projects that use it live."""
        return _json(list_features(where))

    @app.get("/api/v1/features/{name:path}")
    def read_feature(name: str, _: Reader) -> Response:
        """A feature: its definitions, users, inputs back to source columns, and how fresh those are."""
        return _json(show_feature(where, name))

    @app.post("/api/v1/features/check")
    def check_features(body: Compiled, _: Reader) -> Response:
        """Whether a blueprint means by its features what was released under their versions; changes nothing."""
        check_versions(where, msgspec.convert(body.blueprint, Blueprint), body.places)
        return _json({"as_released": True})

    @app.get("/api/v1/lineage/{what:path}")
    def read_lineage(what: str, _: Reader, column: str | None = None) -> Response:
        """The lineage of a project's live release, of a release, or of a prediction, column to column."""
        return _json(trace(where, what, column))


def _json(value: Any) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), media_type="application/json")
