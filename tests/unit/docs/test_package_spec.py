"""The clauses of the package's specification are proved, and what is said to prove them is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "spec" / "package.md").read_text(encoding="utf-8")
CLAUSES, _, PROOFS = PAGE.partition("## 10. Proofs")
ROWS = dict(re.findall(r"^\| (\d+\.\d+) \| (.+) \|$", PROOFS, re.MULTILINE))


def clauses() -> dict[str, str]:
    parts = re.split(r"^(\d+\.\d+) ", CLAUSES, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_clause_that_binds_somebody_is_proved() -> None:
    binding = {number for number, text in clauses().items() if "MUST" in text}

    assert len(binding) > 20
    assert binding - set(ROWS) == set()
    assert set(ROWS) - set(clauses()) == set()


@pytest.mark.parametrize("clause", ROWS)
def test_what_proves_a_clause_is_there(clause: str) -> None:
    for proof in ROWS[clause].split("; "):
        place, said = re.fullmatch(r"`(.+)`: (.+)", proof).groups()  # type: ignore[union-attr] # it fails where there is none
        text = (ROOT / place).read_text(encoding="utf-8")
        assert f"def test_{said.replace(' ', '_')}(" in text, proof
