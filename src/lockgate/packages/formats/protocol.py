"""What a format is.

- A stored model has a *data part*, which is parsed and never run, and may have a *code part*: text that is run.
- Both are given to `load` only after their digests were compared under a signature: parsers of native libraries end
  the process on some bytes that nobody wrote on purpose. Foreign bytes are loaded in a process that may die.
- A model's own library is imported by what needs it, and by nothing before.
- The object that was fitted and the one that was loaded are asked by the same code.
"""

from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["Format", "Scorer", "Stored", "Trees"]


class Stored(msgspec.Struct, frozen=True):
    """A model as bytes."""

    # What is parsed; empty where there is none.
    data: bytes
    # What is run, as JSON; empty where there is none.
    code: bytes = b""


class Trees(msgspec.Struct, frozen=True):
    """A model of trees, as treelite writes it."""

    # What treelite wrote.
    data: bytes
    # Who answers by it: a name in `packages.formats.trees.RUNTIMES`.
    runtime: str


class Scorer(Protocol):
    """A model that can be asked."""

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score rows (rows, columns): a probability for `binary`, the number for `regression`; (rows,)."""


class Format(Protocol):
    """A way to store a fitted model."""

    def takes(self, model: Any) -> bool:  # noqa: ANN401 - any object a user may hand over
        """Tell whether this format can store it; imports nothing."""

    def scorer(self, model: Any, task: str) -> Scorer:  # noqa: ANN401 - what `takes` took
        """Ask the fitted object itself.

        Raises:
            Invalid: it is of another task.
        """

    def dump(self, model: Any) -> Stored:  # noqa: ANN401 - what `takes` took
        """Give its bytes; the same model gives the same bytes.

        Raises:
            Invalid: it holds what can't be stored without running code to load it.
        """

    def load(self, stored: Stored, task: str) -> Scorer:
        """Load verified bytes; runs nothing of the data part.

        Raises:
            Invalid: they are none of this format, or hold what this server does not load.
        """

    def trees(self, model: Any) -> Trees | None:  # noqa: ANN401 - what `takes` took
        """Give it as trees; None where it is none, or none that treelite can read."""
