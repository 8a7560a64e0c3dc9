"""Who is told of a walk: where `--lineage` said, else where `LOCKGATE_LINEAGE` says, else nobody."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit, urlunsplit

from lockgate.engine.installation import Installation
from lockgate.engine.openlineage.observer import Guarded, Observer, Silence, Teller
from lockgate.engine.openlineage.sending import LINEAGE, Sending, open_sink
from lockgate.records.line import Line

__all__ = ["observer_of"]


def observer_of(where: Installation, line: Line, environment: Mapping[str, str] = os.environ) -> Observer:
    """Give who is told of a walk.

    Raises:
        Invalid: nothing can be sent to where the variable says.
    """
    url = line.parameters.get("lineage") or environment.get(LINEAGE, "")
    if not url:
        return Silence()
    sending = Sending(open_sink(url, environment), _without_credentials(url))
    return Guarded(Teller(where.shelf, line, where.clock, sending))


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))
