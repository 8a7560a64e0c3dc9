"""Routes of snapshots: which there are, how two differ, and keeping one that was only referred to."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Request, Response

from lockgate.engine.api.caller import needs
from lockgate.engine.api.once import once
from lockgate.engine.holding import pinning
from lockgate.engine.installation import Installation
from lockgate.engine.snapshotting import difference, pin, snapshots_of
from lockgate.kernel.access import Scope

__all__ = ["add_snapshot_routes"]

Reader = Annotated[str, Depends(needs(Scope.READ))]
Releaser = Annotated[str, Depends(needs(Scope.RELEASE))]


def add_snapshot_routes(app: FastAPI, where: Installation) -> None:
    """Add them to the application of an installation."""

    @app.get("/api/v1/snapshots")
    def read_snapshots(_: Reader, project: str | None = None, line: str | None = None) -> Response:
        """Every reading of a source, the latest first: its snapshot, what was new in it, and what is assumed of it."""
        return _json(snapshots_of(where, project, line))

    @app.get("/api/v1/snapshots/{first}/diff/{second}")
    def read_difference(first: str, second: str, _: Reader) -> Response:
        """How two snapshots of a source differ: columns, rows, and how each column is spread."""
        with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
            return _json(difference(where, first, second, Path(scratch)))

    @app.post("/api/v1/snapshots/{snapshot}/pin")
    async def pin_snapshot(snapshot: str, request: Request, caller: Releaser) -> Response:
        """Copy the rows of a snapshot that only refers to them."""

        def work() -> Response:
            with pinning(where), tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
                return _json(pin(where, snapshot, Path(scratch), by=caller))

        return await once(request, caller, work)


def _json(value: Any) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), media_type="application/json")
