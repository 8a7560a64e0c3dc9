"""What git says of a project folder, and the digest of its code.

The code is every file of the folder that git tracks (or would track), documentation aside: a README does not retrain.
"""

import subprocess
from pathlib import Path

import msgspec

from lockgate.kernel.canonical import Digest, digest_of, sha256
from lockgate.kernel.errors import Refused
from lockgate.records.line import Tree

__all__ = ["Checkout", "look"]

_DOCUMENTATION = {".md", ".rst", ".txt"}
_CODE_NAMES = {"requirements"}  # requirements.txt is no documentation


class Checkout(msgspec.Struct, frozen=True, kw_only=True):
    """A project folder as git sees it."""

    # The commit that is checked out.
    commit: str
    # Files of the folder that differ from it.
    changed: tuple[str, ...]
    # The files that are its code.
    tree: Tree

    @property
    def code(self) -> Digest:
        """The digest of the code."""
        return digest_of(self.tree)


def look(folder: Path) -> Checkout:
    """Look at a project folder.

    Raises:
        Refused: it is in no git checkout, or that has no commit yet.
    """
    if not folder.is_dir():
        msg = f"There is no folder {folder}"
        raise Refused(msg, expected="a project folder", way_out="Name it: lockgate ship PATH.")
    commit = _git(folder, "rev-parse", "HEAD").strip()
    changed = _git(folder, "status", "--porcelain", "--untracked-files=all", "-z", "--", ".").split("\0")
    listed = _git(folder, "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", ".").split("\0")
    files = {name: sha256((folder / name).read_bytes()) for name in sorted(set(listed)) if _is_code(folder, name)}
    return Checkout(commit=commit, changed=tuple(line[3:] for line in changed if line), tree=Tree(files=files))


def _is_code(folder: Path, name: str) -> bool:
    path = Path(name)
    documentation = path.suffix in _DOCUMENTATION and not any(path.name.startswith(code) for code in _CODE_NAMES)
    return bool(name) and not documentation and (folder / name).is_file()


def _git(folder: Path, *command: str) -> str:
    try:
        ran = subprocess.run(  # noqa: S603 - fixed words; git is found on the PATH on purpose
            ["git", "-C", str(folder), *command],  # noqa: S607 - likewise
            check=True,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError as error:
        msg = "git is not installed"
        raise Refused(msg, expected="git on the PATH", way_out="Install git.") from error
    except subprocess.CalledProcessError as error:
        msg = f"{folder} is in no git checkout with a commit, and every release names one"
        found = error.stderr.strip().partition("\n")[0]
        raise Refused(msg, found=found, way_out="git init && git add . && git commit -m 'First model'") from error
    return ran.stdout
