"""Weights of PyTorch come in with what builds their module. PyTorch is heavy: it gets an environment of its own."""

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.making.brought import clicks

SCRIPT = '''"""The network that we have had for years."""


def build(torch, width):
    inner, outer = torch.nn.Linear(3, width), torch.nn.Linear(width, 1)
    return torch.nn.Sequential(inner, torch.nn.ReLU(), outer, torch.nn.Sigmoid())
'''

TRAIN = """
import sys
import torch
from safetensors.torch import save_file
sys.path.insert(0, ".")
from net import build
torch.manual_seed(0)
save_file(build(torch, 4).state_dict(), "net.safetensors")
"""


@pytest.fixture(scope="module")
def torch_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the Python of an environment that has PyTorch, and all that is here."""
    folder = tmp_path_factory.mktemp("torch") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "-q", "torch", "safetensors"], check=True, capture_output=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    (site / "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n{Path(__file__).parents[2] / 'src'}\n")
    return python


@pytest.mark.slow
def test_weights_come_in_with_the_function_that_builds_their_module(torch_python: Path, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(SCRIPT)
    clicks().write_csv(tmp_path / "rows.csv")
    subprocess.run([str(torch_python), "-c", TRAIN], cwd=tmp_path, check=True)
    command = ["package", "import", "net.safetensors", "--name", "clicks", "--example", "rows.csv", "--state", "state"]
    command += ["--key", "visitor", "--asked-at", "seen_at", "--columns", "age,visits,spent", "--task", "binary"]

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        asked = [str(torch_python), "-m", "lockgate.cli.main", *command, *more]
        return subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200)

    built = run("--build", "net.py:build", "--arguments", '{"width": 4}')
    assert built.returncode == 0, built.stderr
    assert "imported from net.safetensors (safetensors)" in " ".join(built.stdout.split())
    unsaid = run()
    assert unsaid.returncode == 1
    assert "--build script.py:function" in unsaid.stderr
    other = run("--build", "net.py:build", "--arguments", '{"width": 5}')
    assert other.returncode == 1
    assert "These weights do not fit what build builds" in other.stderr
