"""Writes a model card to a file, or says it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockgate.cli.cards.materials import bill_of_materials
from lockgate.cli.cards.texts import markdown, page
from lockgate.kernel.errors import Unavailable
from lockgate.kernel.folders import replace_file

__all__ = ["FORMS", "write"]

FORMS: dict[str, Callable[[dict[str, Any]], str]] = {
    "md": markdown,
    "html": page,
    "cyclonedx": bill_of_materials,
    "json": lambda card: json.dumps(card, indent=2) + "\n",
}
"""For each form what writes it."""


def write(card: dict[str, Any], form: str, output: Path | None) -> None:
    """Write a card.

    Raises:
        Unavailable: the file can't be written.
    """
    text = FORMS[form](card)
    if output is None:
        sys.stdout.write(text)
        return
    try:
        replace_file(output, text.encode())
    except OSError as error:
        msg = f"The card can't be written to {output}"
        raise Unavailable(msg, expected="a file that this user can write", found=str(error)) from error
