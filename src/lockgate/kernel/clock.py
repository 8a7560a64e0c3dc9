"""The two clocks.

*Event clock*: a watermark for each endpoint, moved by what it is told; it rules intervals, label maturity and all that
is said of data. *Control clock*: this machine's; it rules leases, tokens and deliveries. Code that needs
the time takes it as an argument, or takes a `Clock`.
"""

from collections.abc import Callable
from datetime import datetime

__all__ = ["Clock"]

Clock = Callable[[], datetime]
"""Gives the current moment of the control clock, in UTC."""
