"""The pages about parity are right: what they say of numbers is so, and every class and cause is on them."""

import re
from pathlib import Path
from typing import Any

from lockgate.records.monitoring import ParityCause, ParityClass

ROOT = Path(__file__).resolve().parents[3]
WHY = (ROOT / "docs/explanation/why-parity-holds.md").read_text(encoding="utf-8")
HOW = (ROOT / "docs/how-to/check-parity.md").read_text(encoding="utf-8")


def test_two_engines_are_not_one_meaning_as_the_page_says() -> None:
    (block,) = re.findall(r"^```python\n(.*?)^```", WHY, re.MULTILINE | re.DOTALL)
    found: dict[str, Any] = {}
    exec(block, found)  # noqa: S102 - the page's own example

    assert 0.2 < found["last_bit"] / 10_000 < 0.5
    assert found["rounded_down"] == (60.0, 59.0)
    assert found["nan_is_large"] == (True, False)
    assert found["rounded"] == (2.68, 2.67)
    assert found["beyond"] == (-(2**63), 2**63)
    assert len(set(found["sums"])) > 1
    assert max(found["sums"]) - min(found["sums"]) < 1e-9 * max(found["sums"])


def test_every_class_and_every_cause_is_on_the_page() -> None:
    assert [one.value for one in ParityClass if f"| `{one.value}` |" not in HOW] == []
    assert [one.value for one in ParityCause if f"`{one.value}`" not in HOW] == []
