"""Routes of packages: what they are, and taking them out of the installation, and bringing models in."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lockgate.engine.api.caller import needs
from lockgate.engine.api.once import once
from lockgate.engine.bringing.asked import ImportAsked
from lockgate.engine.installation import Installation
from lockgate.engine.naming import find_release
from lockgate.engine.packages import export_package, show_package
from lockgate.engine.rebuilding import RebuildAsked
from lockgate.engine.reconcile import open_import, open_rebuild
from lockgate.engine.runner import Runner
from lockgate.kernel.access import Scope
from lockgate.training.example import Roles

__all__ = ["add_package_routes"]

Reader = Annotated[str, Depends(needs(Scope.READ))]
Releaser = Annotated[str, Depends(needs(Scope.RELEASE))]


class Export(BaseModel):
    """A package to take out."""

    model_config = ConfigDict(extra="forbid")

    what: str = Field(description="An endpoint (its live release), endpoint@v2, or a digest.")
    folder: Path = Field(description="Where to, on the machine of the control plane: a new or an empty folder.")


class Rebuild(BaseModel):
    """A released package to make again."""

    model_config = ConfigDict(extra="forbid")

    what: str = Field(description="An endpoint (its live release), endpoint@v2, or a digest.")
    repository: Path = Field(description="A repository that has its commit, on the machine of the control plane.")
    fresh: bool = Field(default=True, description="In an environment made from the recorded one; else in this one.")


class Import(BaseModel):
    """A model that was fitted elsewhere, to walk the line with from the package on."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(
        description="A file, an MLflow folder or `script.py:function`, on the machine of the control plane."
    )
    example: str = Field(description="Example rows: CSV, Parquet or JSON lines.")
    name: str = Field(description="The endpoint's name.")
    key: str = Field("", description="The column that identifies what is asked about.")
    asked_at: str = Field("", description="The column that says when.")
    outcome: str = Field("", description="The column with what happened.")
    answers: str = Field("", description="The column with what the original answered.")
    build: str = Field("", description="For weights: `script.py:function`, which builds their module.")
    arguments: dict[str, Any] = Field({}, description="What that function is given beside torch.")
    columns: list[str] = Field([], description="The model's columns, in order.")
    timezone: str = Field("", description="The zone of times that have none.")
    final_after: timedelta = Field(timedelta(days=1), description="After how long an outcome is final.")
    task: Literal["", "binary", "regression"] = ""
    threshold: float = 0.5
    tolerance: float = Field(1e-9, gt=0, description="By how much answers may differ from the original's.")
    floors: dict[str, float] = Field({}, description="Least values of metrics.")
    ceilings: dict[str, float] = Field({}, description="Greatest values of metrics.")
    min_rows: int = Field(200, ge=1, description="With fewer rows metrics are not judged.")
    gates: str = Field("", description="A file that declares more gates: `gates = [...]`.")
    owner: str = ""
    rollout: bool = Field(default=True, description="Put the release live.")

    def asked(self) -> ImportAsked:
        """Give it as the engine takes it."""
        roles = Roles(
            key=self.key,
            asked_at=self.asked_at,
            outcome=self.outcome,
            answers=self.answers,
            timezone=self.timezone,
            final_after=self.final_after,
        )
        return ImportAsked(
            path=self.path,
            example=self.example,
            name=self.name,
            roles=roles,
            build=self.build,
            arguments=self.arguments,
            columns=tuple(self.columns),
            task=self.task,
            threshold=self.threshold,
            tolerance=self.tolerance,
            floors=self.floors,
            ceilings=self.ceilings,
            min_rows=self.min_rows,
            gates=self.gates,
            owner=self.owner,
        )


def add_package_routes(app: FastAPI, where: Installation, runner: Runner) -> None:
    """Add them to the application of an installation."""

    @app.get("/api/v1/packages/{what}")
    def read_package(what: str, _: Reader) -> Response:
        """A package, by its endpoint (the live release), endpoint@v2 or a digest."""
        return _json(show_package(where, what))

    @app.post("/api/v1/packages/export")
    async def export(body: Export, request: Request, caller: Releaser) -> Response:
        """Write a package to a folder, with its signed release and its environment."""
        return await once(request, caller, lambda: _json(export_package(where, body.what, body.folder)))

    @app.post("/api/v1/packages/rebuild", status_code=202)
    async def rebuild(body: Rebuild, request: Request, caller: Releaser) -> Response:
        """Make a released package again: opens a walk, or gives the one under way; nothing is released."""

        def work() -> Response:
            release = find_release(where, body.what)
            asked = RebuildAsked(release=release, repository=str(body.repository), fresh=body.fresh)
            line = open_rebuild(where, asked, attended=runner.attended, by=caller)
            runner.wake(line)
            return _json({"id": line.id, "attended": line.attended, "release": release}, 202)

        return await once(request, caller, work)

    @app.post("/api/v1/packages/import", status_code=202)
    async def bring(body: Import, request: Request, caller: Releaser) -> Response:
        """Import a model that was fitted elsewhere: opens a walk, or gives the one under way."""

        def work() -> Response:
            line = open_import(where, body.asked(), rollout=body.rollout, attended=runner.attended, by=caller)
            runner.wake(line)
            return _json({"id": line.id, "attended": line.attended}, 202)

        return await once(request, caller, work)


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), status, media_type="application/json")
