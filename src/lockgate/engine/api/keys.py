"""Routes of keys: what is signed with, and who is believed."""

from typing import Annotated, Any

import msgspec
from fastapi import Depends, FastAPI, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lockgate.engine.api.caller import needs
from lockgate.engine.api.once import once
from lockgate.engine.installation import Installation
from lockgate.engine.trusting import distrust, keys_of, new_key, trust
from lockgate.kernel.access import Scope

__all__ = ["add_key_routes"]

Reader = Annotated[str, Depends(needs(Scope.READ))]
Admin = Annotated[str, Depends(needs(Scope.ADMIN))]


class TrustedKey(BaseModel):
    """A key to believe."""

    model_config = ConfigDict(extra="forbid")

    public_key: str = Field(max_length=10_000, description="Its public half, as PEM.")
    name: str = Field(pattern=r"^[A-Za-z0-9_.@-]{1,64}$", description="Whose it is; shown wherever keys are.")


class Distrust(BaseModel):
    """How to take a key out."""

    model_config = ConfigDict(extra="forbid")

    even_if_live: bool = Field(default=False, description="Also if what it signed is live.")


def add_key_routes(app: FastAPI, where: Installation) -> None:
    """Add them to the application of an installation."""

    @app.get("/api/v1/keys")
    def read_keys(_: Reader) -> Response:
        """Every key that is known here, and what rests on it; the one that is signed with first."""
        return _json(keys_of(where))

    @app.post("/api/v1/keys", status_code=201)
    async def make_new_key(request: Request, caller: Admin) -> Response:
        """Sign with another key from now on; what the old one signed is still loaded."""
        return await once(request, caller, lambda: _json(new_key(where, by=caller), 201))

    @app.post("/api/v1/keys/trusted", status_code=201)
    async def trust_another(body: TrustedKey, request: Request, caller: Admin) -> Response:
        """Load what a key signed."""
        return await once(request, caller, lambda: _json(trust(where, body.public_key, body.name, by=caller), 201))

    @app.post("/api/v1/keys/{key}/distrust")
    async def distrust_one(key: str, body: Distrust, request: Request, caller: Admin) -> Response:
        """Load no more what a key signed; refused while it signed what is live, unless that is insisted on."""

        def work() -> Response:
            return _json(distrust(where, key, even_if_live=body.even_if_live, by=caller))

        return await once(request, caller, work)


def _json(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - records and plain values
    return Response(msgspec.json.encode(value), status, media_type="application/json")
