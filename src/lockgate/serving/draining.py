"""uvicorn's protocol, except that it says good-bye before it closes.

uvicorn closes idle keep-alive connections at once when it stops, so that a request already on its way is lost. Here the
next answer on such a connection says `connection: close`, and only one that stays idle is closed without a word.
"""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["DrainingProtocol"]

_IDLE = 0.25


class DrainingProtocol(HttpToolsProtocol):
    """A connection."""

    _draining = False

    def on_headers_complete(self) -> None:
        """Take a request; while draining it is the connection's last."""
        super().on_headers_complete()
        if self._draining and self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Begin to drain."""
        self._draining = True
        if self._idle():
            self.loop.call_later(_IDLE, self._close_if_idle)
        else:
            self.cycle.keep_alive = False

    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_if_idle(self) -> None:
        if self._idle() and not self.transport.is_closing():
            self.transport.close()
