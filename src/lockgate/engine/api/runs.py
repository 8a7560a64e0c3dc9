"""Routes of training runs: listing, searching, comparing them, and taking their artifacts out."""

from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Query, Response

from lockgate.engine.api.caller import needs
from lockgate.engine.installation import Installation
from lockgate.engine.runs.comparing import compare_runs
from lockgate.engine.runs.looking import artifact_of, curves_of, list_runs, show_run
from lockgate.kernel.access import Scope

__all__ = ["add_run_routes"]

Reader = Annotated[str, Depends(needs(Scope.READ))]


def add_run_routes(app: FastAPI, where: Installation) -> None:
    """Add them to the application of an installation."""

    @app.get("/api/v1/runs")
    def read_runs(
        _: Reader,
        model: str | None = None,
        search: str | None = None,
        before: Annotated[int | None, Query(ge=0, lt=1 << 63)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Response:
        """Training runs, newest first: of a model, that a search holds for, before a place."""
        return _json(list_runs(where, model=model, search=search, before=before, limit=limit))

    @app.get("/api/v1/runs/compare")
    def read_comparison(_: Reader, run: Annotated[list[str], Query()]) -> Response:
        """Two or more runs beside each other, what differs first; `run` is named once for each."""
        return _json(compare_runs(where, run))

    @app.get("/api/v1/runs/{run}")
    def read_run(run: str, _: Reader) -> Response:
        """A run, by its id or how that begins, an endpoint or endpoint@v2."""
        return _json(show_run(where, run))

    @app.get("/api/v1/runs/{run}/curves")
    def read_curves(run: str, _: Reader, most: Annotated[int | None, Query(ge=2)] = None) -> Response:
        """The points of every metric of a run, or `most` of each."""
        return _json(curves_of(where, run, most))

    @app.get("/api/v1/runs/{run}/artifacts/{name:path}")
    def read_artifact(run: str, name: str, _: Reader) -> Response:
        """The bytes of an artifact of a run, verified."""
        headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
        return Response(artifact_of(where, run, name), 200, headers, media_type="application/octet-stream")


def _json(value: Any) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), media_type="application/json")
