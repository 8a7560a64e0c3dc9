"""The application: routes, and how errors look. CLI and console are its clients; it makes no decision of its own.

Reads need the scope `read`, changes `release`, tokens `admin`. Errors are RFC 9457 problem documents. POSTs take an
`Idempotency-Key`, but for tokens (their answer holds a secret, and is not kept) and examinations (they change nothing).
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from lockgate.engine.api.caller import needs
from lockgate.engine.api.door import Door
from lockgate.engine.api.features import add_feature_routes
from lockgate.engine.api.keys import add_key_routes
from lockgate.engine.api.once import once
from lockgate.engine.api.packages import add_package_routes
from lockgate.engine.api.registry import add_registry_routes
from lockgate.engine.api.runs import add_run_routes
from lockgate.engine.api.snapshots import add_snapshot_routes
from lockgate.engine.api.waivers import add_waiver_routes
from lockgate.engine.comparisons import Comparisons, Question
from lockgate.engine.delivery import create_endpoint, current_plan, deliver, find_endpoint
from lockgate.engine.examining import examine_data, infer
from lockgate.engine.explain import explain
from lockgate.engine.installation import Installation, add_token
from lockgate.engine.reconcile import Asked, open_line, watch
from lockgate.engine.runner import Runner
from lockgate.engine.status import endpoint_status, metrics_of, overview
from lockgate.engine.trusting import refuse_unless_trusted
from lockgate.engine.waiving import expired_waivers
from lockgate.kernel.access import Scope
from lockgate.kernel.errors import Fault, Invalid, LockgateError, NotFound, Refused
from lockgate.records.monitoring import ParityClass
from lockgate.records.rollout import TrafficPlan
from lockgate.rollout.plans import roll_back

__all__ = ["make_app"]

Reader = Annotated[str, Depends(needs(Scope.READ))]
Releaser = Annotated[str, Depends(needs(Scope.RELEASE))]
Admin = Annotated[str, Depends(needs(Scope.ADMIN))]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Ship(_Body):
    """A project folder to walk the line with."""

    folder: Path = Field(description="The project folder, on the machine of the control plane.")
    as_of: datetime | None = Field(None, description="Use only what was known then; with a zone.")
    dirty: bool = Field(default=False, description="Ship also if files differ from the commit.")
    rollout: bool = Field(default=True, description="Put the release live.")
    until: Literal["release", "snapshots"] = Field(default="release", description="Where the walk ends.")
    anew: list[str] = Field(default=[], description="Sources whose history begins anew.")
    lineage: str = Field(default="", description="Send OpenLineage events there: `file:PATH` or a URL.")


class Examine(_Body):
    """A project folder whose data to examine."""

    folder: Path = Field(description="The project folder, on the machine of the control plane.")
    snapshot: str | None = Field(None, description="One snapshot, by its digest or the beginning of it.")


class Infer(Examine):
    """A project folder to write rules down for."""

    source: str | None = Field(None, description="One source.")


class NewEndpoint(_Body):
    """An endpoint to make."""

    name: str
    replay: bool = Field(default=False, description="Takes event times freely, to replay history.")


class Rollback(_Body):
    """Why to go back."""

    reason: str = Field(min_length=1, max_length=1000)


class Parity(_Body):
    """What to compare."""

    last: timedelta | None = Field(None, description="How far back from the endpoint's watermark; all where left out.")
    classes: frozenset[ParityClass] = Field(
        frozenset(ParityClass), min_length=1, description="What to derive again; everything where left out."
    )


class NewToken(_Body):
    """A token to make."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$")
    scopes: frozenset[Scope] = Field(min_length=1)
    expires_at: datetime | None = None


def make_app(where: Installation, runner: Runner, port: int = 80) -> FastAPI:
    """Make the application of an installation, listening on a port; `runner` walks what is shipped."""
    app = FastAPI(title="Lockgate", version="1", docs_url=None, redoc_url=None, openapi_url="/api/v1/openapi.json")
    app.state.where = where
    app.state.runner = runner
    app.add_middleware(Door, port=port)
    app.add_exception_handler(LockgateError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    _add_reads(app, where, Comparisons(where))
    _add_changes(app, where, runner)
    add_feature_routes(app, where)
    add_snapshot_routes(app, where)
    add_run_routes(app, where)
    add_package_routes(app, where, runner)
    add_waiver_routes(app, where, runner)
    add_key_routes(app, where)
    add_registry_routes(app, where)
    _add_checks(app, where)
    return app


def _add_reads(app: FastAPI, where: Installation, comparisons: Comparisons) -> None:
    @app.get("/livez", include_in_schema=False)
    def livez() -> Response:
        return _json({"live": True})

    @app.get("/api/v1/overview")
    def read_overview(_: Reader) -> Response:
        """Endpoints, recent walks, and what is running."""
        return _json(overview(where))

    @app.get("/api/v1/endpoints/{name}")
    def read_endpoint(name: str, _: Reader) -> Response:
        """An endpoint's plans and releases, with what their gates saw."""
        return _json(endpoint_status(where, name))

    @app.get("/api/v1/endpoints/{name}/metrics")
    def read_metrics(name: str, _: Reader) -> Response:
        """Daily metrics of matured cohorts, the naive figure beside them."""
        return _json(metrics_of(where, name))

    @app.post("/api/v1/endpoints/{name}/parity", status_code=202)
    async def begin_parity(name: str, body: Parity, request: Request, caller: Reader) -> Response:
        """Begin to compare what was served with what is derived again, or give the comparison under way."""

        def work() -> Response:
            return _json(comparisons.begin(Question(name, body.last, body.classes), caller), 202)

        return await once(request, caller, work)

    @app.get("/api/v1/endpoints/{name}/parity/{run}")
    def read_parity(name: str, run: str, _: Reader) -> Response:
        """How far a comparison is, and its report when it is done."""
        return _json(comparisons.find(name, run))

    @app.get("/api/v1/predictions/{prediction}")
    def read_prediction(prediction: str, _: Reader) -> Response:
        """All that led to a prediction."""
        return _json(explain(where, prediction))

    @app.get("/api/v1/lines/{line}")
    def read_line(line: str, _: Reader, after: int = 0) -> Response:
        """What a walk said of itself from a place on, and how it ended."""
        return _json(watch(where, line, after))


def _add_changes(app: FastAPI, where: Installation, runner: Runner) -> None:
    @app.post("/api/v1/lines", status_code=202)
    async def ship(body: Ship, request: Request, caller: Releaser) -> Response:
        """Ship a project folder: opens a walk, or gives the one under way."""

        def work() -> Response:
            asked = Asked(
                as_of=body.as_of,
                rollout=body.rollout,
                until=body.until,
                anew=tuple(body.anew),
                lineage=body.lineage,
            )
            line = open_line(where, body.folder, asked, dirty=body.dirty, attended=runner.attended, by=caller)
            runner.wake(line)
            return _json({"id": line.id, "attended": line.attended}, 202)

        return await once(request, caller, work)

    @app.post("/api/v1/endpoints", status_code=201)
    async def make_endpoint(body: NewEndpoint, request: Request, caller: Releaser) -> Response:
        """Make an endpoint before its first release, to say that it replays."""

        def work() -> Response:
            return _json(create_endpoint(where, body.name, replay=body.replay, by=caller), 201)

        return await once(request, caller, work)

    @app.post("/api/v1/endpoints/{name}/rollback")
    async def rollback(name: str, body: Rollback, request: Request, caller: Releaser) -> Response:
        """Put the previous release back; also one whose waivers expired: those are named."""

        def work() -> Response:
            find_endpoint(where, name)

            def decide(plan: TrafficPlan | None) -> TrafficPlan:
                if plan is None:
                    msg = f"{name} has no release yet"
                    raise Refused(msg, expected="a live release", found="none")
                decided = roll_back(plan, reason=body.reason, by=caller, at=where.clock())
                refuse_unless_trusted(where, decided.live)
                return decided

            before = current_plan(where, name)
            done = deliver(where, name, decide, by=caller)
            shut = expired_waivers(where, done.plan.live)
            found = {"plan": done.plan, "was": before, "acks": done.acks, "errors": done.errors, "expired": shut}
            return _json(found)

        return await once(request, caller, work)

    @app.post("/api/v1/tokens", status_code=201)
    async def make_token(body: NewToken, caller: Admin) -> Response:
        """Make a token; its secret is in this answer and nowhere else."""
        token = add_token(where.state, body.name, body.scopes, body.expires_at)
        return _json({"name": body.name, "token": token, "by": caller}, 201)


def _add_checks(app: FastAPI, where: Installation) -> None:
    @app.post("/api/v1/checks")
    def check(body: Examine, _: Releaser) -> Response:
        """Examine the newest snapshot of every source by the project's rules; nothing is kept."""
        return _json(examine_data(where, body.folder.resolve(), body.snapshot))

    @app.post("/api/v1/checks/infer")
    def infer_checks(body: Infer, caller: Releaser) -> Response:
        """Write rules down from snapshots, as files for the project folder; the profile is kept."""
        return _json(infer(where, body.folder.resolve(), body.source, body.snapshot, by=caller))


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _problem(error: LockgateError) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else {}  # noqa: PLR2004 - RFC 9110
    return Response(msgspec.json.encode(error.problem()), error.status, headers, media_type="application/problem+json")


def _on_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, LockgateError)  # noqa: S101 - registered for this class alone
    return _problem(error)


def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class alone
    faults = tuple(
        Fault(at=".".join(str(part) for part in one["loc"]), expected=one["msg"], found=str(one.get("input"))[:80])
        for one in error.errors()
    )
    return _problem(Invalid("This request does not hold to the API", faults=faults))


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class alone
    problem = NotFound(
        f"{request.method} {request.url.path}: {error.detail}", way_out="/api/v1/openapi.json lists the routes."
    )
    problem_document = {**problem.problem(), "status": error.status_code}
    return Response(
        msgspec.json.encode(problem_document), error.status_code, error.headers, media_type="application/problem+json"
    )
