"""Small charts in text."""

import math
from collections.abc import Sequence

__all__ = ["bars", "spark"]

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def bars(values: Sequence[float | None], width: int = 20) -> list[str]:
    """Give a horizontal bar for each value, drawn from just under the least to the greatest.

    >>> bars([0.6, 0.7, None], width=4)
    ['▍', '████', '']
    """
    known = [value for value in values if value is not None]
    if not known:
        return ["" for _ in values]
    low, high = min(known), max(known)
    floor = low - (high - low or abs(high) or 1.0) * 0.1
    return ["" if value is None else _bar((value - floor) / (high - floor), width) for value in values]


def _bar(share: float, width: int) -> str:
    eighths = round(share * width * 8)
    return ("█" * (eighths // 8) + _EIGHTHS[eighths % 8]).rstrip()


def spark(values: Sequence[float], low: float, high: float) -> str:
    """Draw a curve in a line of text, between two bounds; what is not finite is a mark.

    >>> spark([0.0, 0.5, float("nan"), 1.0], 0.0, 1.0)
    '▁▅!█'
    """
    top = len(_HEIGHTS) - 1
    span = high / 2 - low / 2 or 1.0  # halves: the whole may be more than a float holds
    return "".join(
        _HEIGHTS[math.floor((value / 2 - low / 2) / span * top + 0.5)] if math.isfinite(value) else "!"
        for value in values
    )
