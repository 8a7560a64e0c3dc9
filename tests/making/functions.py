"""Functions from text, as a module of a user's would define them."""

import importlib.util
from pathlib import Path
from typing import Any

__all__ = ["function_in"]


def function_in(folder: Path, text: str, name: str = "f") -> Any:  # noqa: ANN401 - any function
    """Import a text as a module and give a function of it."""
    path = folder / "written.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("written_by_a_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)
