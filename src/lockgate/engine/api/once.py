"""Idempotency keys: a POST that is sent twice is done once (draft-ietf-httpapi-idempotency-key-header).

- The key is the caller's own: two callers may use the same one.
- The same key with the same request gives the first answer again, marked `Idempotent-Replayed: true`.
- The same key with another request is refused; so is a second one while the first is being done.
- An answer is kept in the ledger, so it outlives the process that gave it. Errors are not kept: nothing was changed.
"""

import base64
from collections.abc import Callable
from datetime import timedelta

import msgspec
from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from lockgate.engine.installation import Installation
from lockgate.engine.walk import this_owner
from lockgate.kernel.canonical import canonical, digest_of, sha256
from lockgate.kernel.errors import Conflict, Invalid
from lockgate.ledger.protocols import Entry

__all__ = ["once"]

_LONGEST = 128
_SPAN = timedelta(minutes=5)


class _Kept(msgspec.Struct):
    request: str
    status: int
    body: str


async def once(request: Request, caller: str, work: Callable[[], Response]) -> Response:
    """Do a POST's work, or give the answer that its idempotency key has had already.

    Raises:
        Invalid: the key is too long, or was used for another request.
        Conflict: a request with this key is being done.
    """
    key = request.headers.get("idempotency-key")
    if key is None:
        return await run_in_threadpool(work)
    if not 0 < len(key) <= _LONGEST:
        msg = "This Idempotency-Key can't be used"
        raise Invalid(msg, expected=f"1 to {_LONGEST} characters", found=f"{len(key)}")
    body = sha256(await request.body())
    name = digest_of([caller, request.url.path, key])
    return await run_in_threadpool(_with_key, request.app.state.where, name, body, caller, work)


def _with_key(where: Installation, name: str, body: str, caller: str, work: Callable[[], Response]) -> Response:
    ledger, now = where.shelf.ledger, where.clock()
    if (answered := _answered(where, name, body)) is not None:
        return answered
    lease = ledger.leases.acquire(f"idempotency/{name}", owner=this_owner(), now=now, span=_SPAN)
    if lease is None:
        msg = "A request with this Idempotency-Key is being done"
        raise Conflict(
            msg, expected="its answer", found="none yet", way_out="Ask again in a moment, with the same key."
        )
    try:
        if (answered := _answered(where, name, body)) is not None:
            return answered
        answer = work()
        kept = _Kept(request=body, status=answer.status_code, body=base64.b64encode(bytes(answer.body)).decode())
        entry = Entry(kind="answer", id=name, subject=caller, body=canonical(kept), by=caller, at=now)
        ledger.records.append(entry)
        return answer
    finally:
        ledger.leases.release(lease)


def _answered(where: Installation, name: str, body: str) -> Response | None:
    stored = where.shelf.ledger.records.get("answer", name)
    if stored is None:
        return None
    kept = msgspec.json.decode(stored.body, type=_Kept)
    if kept.request != body:
        msg = "This Idempotency-Key was used for another request"
        raise Invalid(msg, expected="a key of its own for each request", found="the same key with another body")
    headers = {"Idempotent-Replayed": "true"}
    return Response(base64.b64decode(kept.body), kept.status, headers, media_type="application/json")
