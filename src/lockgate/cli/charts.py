"""Small charts in text."""

from collections.abc import Sequence

__all__ = ["bars"]

_EIGHTHS = " ▏▎▍▌▋▊▉█"


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
