"""Verdicts: ordered, four of them, and silence is never success."""

import enum
from collections.abc import Iterable

__all__ = ["Verdict", "worst"]


class Verdict(enum.Enum):
    """What an examination came to. Only `PASS` and `WARN` open a gate."""

    PASS = "pass"  # noqa: S105 - no password; evidence was seen, and it holds
    WARN = "warn"  # it holds, but somebody should look
    INCONCLUSIVE = "inconclusive"  # not enough evidence; the gate stays shut
    FAIL = "fail"  # evidence was seen, and it does not hold

    @property
    def opens(self) -> bool:
        """Whether a gate with this verdict lets a release through."""
        return self in {Verdict.PASS, Verdict.WARN}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Give the worst of several verdicts; of none, `INCONCLUSIVE`: nothing was examined."""
    order = list(Verdict)
    return max(verdicts, key=order.index, default=Verdict.INCONCLUSIVE)
