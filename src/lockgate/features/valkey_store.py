"""The online store in Valkey, which several machines may share. Also in Redis, which speaks the same protocol.

- A change watches its keys and is done again when another machine's ingest was faster: nothing is lost.
- Nothing here expires by itself. A server that throws keys away when its memory is full is refused, since what it threw
  away would look like what was never known.
- Who only reads waits a quarter of a second for an answer and no longer.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError, WatchError
from redis.retry import Retry

from lockgate.features.store import Change
from lockgate.kernel.errors import Invalid, Unavailable

__all__ = ["ValkeyStore", "open_at"]

_READ_SECONDS, _WRITE_SECONDS = 0.25, 10.0
_MOST = 1_000
_OURS = b"lockgate:"
_PORT = 6379


def open_at(url: str, *, read_only: bool) -> "ValkeyStore":
    """Open the store at `valkey://[user:password@]host[:port][/db]`.

    Raises:
        Invalid: the URL names no host or no number of a database; the server throws keys away.
        Unavailable: nobody answers there.
    """
    parts = urlsplit(url)
    shown = f"valkey://{parts.netloc.rpartition('@')[2]}{parts.path}"
    database = parts.path.strip("/") or "0"
    try:
        port = parts.port or _PORT
    except ValueError:
        port = 0
    if not parts.hostname or not database.isdecimal() or not port:
        raise Invalid(f"No online store can be opened at {shown}", expected="valkey://host:port/db", found=shown)
    seconds = _READ_SECONDS if read_only else _WRITE_SECONDS
    client = redis.Redis(
        host=parts.hostname,
        port=port,
        db=int(database),
        username=parts.username,
        password=parts.password,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), 0),
    )
    return ValkeyStore(client, shown)


class ValkeyStore:
    """An online store in a Valkey server.

    Args:
        client: connects to it.
        where: the same for people, without password.

    Raises:
        Unavailable: it does not answer.
        Invalid: it throws keys away.
    """

    def __init__(self, client: "redis.Redis", where: str) -> None:
        self._client, self._where = client, where
        try:
            policy = self._policy()
        except RedisError as error:
            raise self._unavailable("opened", error) from error
        if policy.startswith("allkeys"):
            raise Invalid(
                f"The server at {where} throws keys away when its memory is full, and what is gone would look unknown",
                expected="maxmemory-policy noeviction",
                found=policy,
                way_out="CONFIG SET maxmemory-policy noeviction",
            )

    def _policy(self) -> str:
        try:
            answer: Any = self._client.config_get("maxmemory-policy")
        except ResponseError:
            # A hosted server may not say; it is then taken at its operator's word.
            self._client.ping()
            return ""
        return str(answer.get("maxmemory-policy", ""))

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Give what is under keys.

        Raises:
            Unavailable: the server does not answer.
        """
        if not keys:
            return []
        try:
            found: Any = self._client.mget([_OURS + key for key in keys])
        except RedisError as error:
            raise self._unavailable("read", error) from error
        answer: list[bytes | None] = found
        return answer

    def change(self, keys: Sequence[bytes], change: Change) -> None:
        """Replace what is under keys, in one transaction.

        Raises:
            Unavailable: the server does not answer. Where its answer alone was lost, the change may have been made.
        """
        names = [_OURS + key for key in keys]
        try:
            while names and not self._try(names, change):
                continue
        except RedisError as error:
            raise self._unavailable("written", error) from error

    def _try(self, names: list[bytes], change: Change) -> bool:
        """Make a change, unless somebody else was faster."""
        with self._client.pipeline() as pipe:
            pipe.watch(*names)  # type: ignore[no-untyped-call]
            before: Any = pipe.mget(names)
            wanted = change(before)
            pipe.multi()
            for name, old, data in zip(names, before, wanted, strict=True):
                if data is None:
                    pipe.delete(name)
                elif data != old:
                    pipe.set(name, data)
            try:
                pipe.execute()
            except WatchError:
                return False
        return True

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """Give the keys that begin so.

        Raises:
            Unavailable: the server does not answer.
        """
        escaped = b"".join(b"\\" + bytes([one]) if one in b"*?[]\\^-" else bytes([one]) for one in _OURS + prefix)
        seen: set[bytes] = set()
        try:
            for name in self._client.scan_iter(match=escaped + b"*", count=_MOST):
                key = name[len(_OURS) :]
                if key not in seen:
                    seen.add(key)
                    yield key
        except RedisError as error:
            raise self._unavailable("read", error) from error

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _unavailable(self, done: str, error: object) -> Unavailable:
        return Unavailable(
            f"The online store can't be {done}",
            expected=f"a server that answers at {self._where}",
            found=str(error),
            way_out="Start that server again, or look at the network between.",
        )
