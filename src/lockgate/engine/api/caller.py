"""Who calls: token, scope, and whether a browser was talked into it. Every route names the scope it needs."""

from collections.abc import Callable

from fastapi import Request

from lockgate.engine.installation import Installation, read_access
from lockgate.kernel.access import Scope

__all__ = ["needs"]


def needs(scope: Scope) -> Callable[[Request], str]:
    """Give a dependency that lets only callers with a scope through, and gives their name."""

    def caller(request: Request) -> str:
        where: Installation = request.app.state.where
        return read_access(where.state).check(request.headers.get("authorization"), scope, where.clock())

    return caller
