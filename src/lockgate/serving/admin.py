"""The admin socket: one JSON object a line, one answer a line, over a Unix socket of mode 0600.

Workers, ingest and the supervisor speak the same words: `{"do":"obey","endpoint":NAME}`, `{"do":"status"}`,
`{"do":"stop"}`; ingest also `{"do":"prepare","endpoint":NAME,"release":DIGEST}` and
`{"do":"caught_up","endpoint":NAME,"segment":NAME,"offset":N}`. A question that fails is answered with
`{"error": <problem>}`.
"""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec

from lockgate.kernel.errors import Failed, LockgateError, Malformed

__all__ = ["LONGEST_PATH", "Answering", "Question", "ask", "serve_admin"]

LONGEST_PATH = 100
"""Characters of a socket's path; the system allows 107."""

Answering = Callable[["Question"], Awaitable[dict[str, Any]]]
"""Answers a question."""


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What can be asked."""

    # `obey`, `status` or `stop`; of ingest also `prepare` or `caught_up`.
    do: str
    # Who is to obey, or is asked about.
    endpoint: str = ""
    # The release that is to be prepared.
    release: str = ""
    # The segment of events, and the byte in it, up to which rows are to be in the store.
    segment: str = ""
    offset: int = 0


async def serve_admin(path: Path, answering: Answering) -> asyncio.Server:
    """Answer on a socket until the server is closed."""
    listener = _listen(path)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(msgspec.json.encode(await _answer(line, answering)) + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            # Who asked is gone, or sent a line without an end.
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(converse, sock=listener)


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    # The mode is there from the first moment on: nobody else can connect between bind and chmod.
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


async def ask(path: Path, question: Question) -> dict[str, Any]:
    """Ask once.

    Raises:
        OSError: nobody answers there.
        Failed: the answer was none.
    """
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(msgspec.json.encode(question) + b"\n")
        line = await reader.readline()
    finally:
        writer.close()
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Failed("The admin socket gave no answer", found=str(error)) from error


async def _answer(line: bytes, answering: Answering) -> dict[str, Any]:
    try:
        return await answering(_question(line))
    except LockgateError as error:
        return {"error": error.problem()}


def _question(line: bytes) -> Question:
    try:
        return msgspec.json.decode(line, type=Question)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed("This is no question", expected='{"do":"obey","endpoint":NAME}', found=str(error)) from error
