"""Weights of PyTorch come in with what builds their module."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.making.brought import clicks

SCRIPT = '''"""The network that we have had for years."""


def build(torch, width):
    inner, outer = torch.nn.Linear(3, width), torch.nn.Linear(width, 1)
    return torch.nn.Sequential(inner, torch.nn.ReLU(), outer, torch.nn.Sigmoid())
'''

COMMAND = ("package", "import", "net.safetensors", "--name", "clicks", "--example", "rows.csv", "--state", "state")
COLUMNS = ("--key", "visitor", "--asked-at", "seen_at", "--columns", "age,visits,spent", "--task", "binary")


@pytest.fixture
def brought(tmp_path: Path) -> Path:
    """Give a folder with weights, what builds their module, and rows."""
    (tmp_path / "net.py").write_text(SCRIPT)
    clicks().write_csv(tmp_path / "rows.csv")
    torch.manual_seed(0)
    inner, outer = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    save_file(torch.nn.Sequential(inner, torch.nn.ReLU(), outer).state_dict(), tmp_path / "net.safetensors")
    return tmp_path


def run(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    asked = [sys.executable, "-m", "lockgate.cli.main", *COMMAND, *COLUMNS, *more]
    return subprocess.run(asked, cwd=folder, capture_output=True, text=True, check=False, timeout=200)


def test_weights_come_in_with_the_function_that_builds_their_module(brought: Path) -> None:
    built = run(brought, "--build", "net.py:build", "--arguments", '{"width": 4}')

    assert built.returncode == 0, built.stderr
    assert "imported from net.safetensors (safetensors)" in " ".join(built.stdout.split())


def test_weights_alone_are_refused_with_what_is_missing(brought: Path) -> None:
    unsaid = run(brought)

    assert unsaid.returncode == 1
    assert "--build script.py:function" in unsaid.stderr


def test_weights_of_another_module_are_refused(brought: Path) -> None:
    other = run(brought, "--build", "net.py:build", "--arguments", '{"width": 5}')

    assert other.returncode == 1
    assert "These weights do not fit what build builds" in other.stderr
