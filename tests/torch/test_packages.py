"""A PyTorch module in a package: weights that are data, and a function that is run only where it was signed."""

import io
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import save

import lockgate as lg
from lockgate.kernel.canonical import canonical, digest_of, sha256
from lockgate.kernel.errors import Corrupt, Invalid, Untrusted
from lockgate.kernel.folders import StateFolder, replace_file
from lockgate.packages.folder import pack
from lockgate.packages.formats.protocol import Stored
from lockgate.packages.formats.table import FORMATS, format_for
from lockgate.packages.runtime import CODE, CONTRACT, MODEL, REFERENCE, encode_seed, encode_table
from lockgate.packages.signing import make_key, sign, signing_key
from lockgate.records.package import Reference
from lockgate.records.release import Release
from lockgate.serving.loading import load_version
from lockgate.testing.format_exam import FormatCase, format_exam
from tests.making.package import ENVIRONMENT, NAME, START, contract

TORCH = FORMATS["torch-safetensors/1"]
X = np.random.default_rng(7).normal(size=(160, 6))
X[::9, 1] = np.nan


def build(torch, width):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - its text travels as it is
    """Build a small network that takes a null for 0."""

    class Known(torch.nn.Module):  # type: ignore[misc, name-defined] # no types here
        def forward(self, x):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - likewise
            return torch.nan_to_num(x)

    inner, outer = torch.nn.Linear(6, width), torch.nn.Linear(width, 1)
    return torch.nn.Sequential(Known(), inner, torch.nn.ReLU(), outer, torch.nn.Sigmoid())


def module(kind: Any = torch.float32) -> Any:  # noqa: ANN401 - PyTorch's types
    torch.manual_seed(0)
    return build(torch, 8).to(kind)  # type: ignore[no-untyped-call] # its text travels as it is


def model(kind: Any = torch.float32) -> Any:  # noqa: ANN401 - PyTorch's types
    return lg.torch_model(module(kind), build, width=8)


def case(kind: Any) -> FormatCase:  # noqa: ANN401 - PyTorch's types
    with torch.inference_mode():
        answers = module(kind).eval()(torch.tensor(X, dtype=kind)).reshape(-1).to(torch.float64).numpy()
    return FormatCase(
        form=TORCH,
        found_at="lockgate.packages.formats.pytorch:TORCH",
        model=model(kind),
        task="binary",
        x=X,
        answers=answers,
    )


SENTENCES = [sentence for sentence, _ in format_exam(lambda: case(torch.float32))]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_format(sentence: str, kind: Any) -> None:  # noqa: ANN401 - PyTorch's types
    dict(format_exam(lambda: case(kind)))[sentence]()


def test_it_is_found_by_its_model() -> None:
    assert format_for(model()) == "torch-safetensors/1"


def helper(torch):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - as a user may write it
    return build(torch, 8)  # type: ignore[no-untyped-call] # likewise


def test_a_function_that_reads_what_is_not_in_it_is_not_packed() -> None:
    with pytest.raises(Invalid, match="reads what is not in it") as refused:
        TORCH.dump(lg.torch_model(module(), helper))
    assert refused.value.found == "build"


# --- in a signed package ---------------------------------------------------------------------------------------------


def install(state: StateFolder, stored: Stored) -> tuple[str, Path]:
    """Pack, sign and install a module; give its release and where its files lie."""
    scores = tuple(map(float, TORCH.scorer(model(), "binary").score(X[:20])))
    rows = tuple(tuple(None if np.isnan(value) else float(value) for value in row) for row in X[:20])
    files = {CONTRACT: canonical(contract()), MODEL: stored.data, CODE: stored.code}
    files |= {REFERENCE: canonical(Reference(x=rows, scores=scores, tolerance=1e-9))}
    files |= dict([encode_table("planes", []), encode_seed("weather", [])])
    digests = dict.fromkeys(("training_set", "code"), sha256(b"")) | {"environment": digest_of(ENVIRONMENT)}
    draft = state.root / "draft"
    package, _ = pack(draft, files, project=NAME, format="torch-safetensors/1", parameters={}, **digests)
    folder = state.package(package)
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(draft, folder)
    make_key(state.signing_key, state.trust)
    release = Release(
        endpoint=NAME,
        number=1,
        package=package,
        training_run=sha256(b""),
        evidence=(),
        verdicts=(),
        commit="0" * 40,
        dirty=False,
        line="line-1",
        by="tests",
        at=START,
    )
    digest = digest_of(release)
    replace_file(state.release(NAME, digest), sign(release, signing_key(state.signing_key)))
    return digest, folder


def with_canary(stored: Stored, canary: Path) -> Stored:
    """Let what builds the module leave a mark."""
    code = json.loads(stored.code)
    code["source"] += f"\nopen({str(canary)!r}, 'w').close()\n"
    return Stored(stored.data, msgspec.json.encode(code))


def test_a_signed_module_gives_its_reference_answers_to_the_bit(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    digest, _ = install(state, TORCH.dump(model()))

    loaded = load_version(state, NAME, digest).package

    assert loaded.reference_result["worst_difference"] == 0.0
    assert loaded.score(X).tolist() == TORCH.scorer(model(), "binary").score(X).tolist()


@pytest.mark.parametrize("path", [MODEL, CODE])
def test_one_flipped_bit_is_found_before_anything_runs(path: str, tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    digest, folder = install(state, with_canary(TORCH.dump(model()), tmp_path / "ran"))
    data = bytearray((folder / path).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / path).write_bytes(data)

    with pytest.raises(Corrupt, match="not what was packed"):
        load_version(state, NAME, digest)
    assert not (tmp_path / "ran").exists()


def test_what_builds_the_module_runs_only_where_its_signer_is_trusted(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    digest, _ = install(state, with_canary(TORCH.dump(model()), tmp_path / "ran"))
    (key,) = state.trust.glob("*.pub")
    key.rename(tmp_path / "aside.pub")

    with pytest.raises(Untrusted):
        load_version(state, NAME, digest)
    assert not (tmp_path / "ran").exists()

    (tmp_path / "aside.pub").rename(key)
    load_version(state, NAME, digest)
    assert (tmp_path / "ran").exists()


# --- hostile weights -------------------------------------------------------------------------------------------------


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def pickled(canary: Path) -> bytes:
    """Give what `torch.save` writes."""
    target = io.BytesIO()
    torch.save({"weights": Payload(canary)}, target)
    return target.getvalue()


def headed(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


def weights(**changes: Any) -> bytes:  # noqa: ANN401 - PyTorch's types
    return bytes(save({**module().state_dict(), **changes}))


def without_one() -> bytes:
    kept = dict(module().state_dict())
    kept.popitem()
    return bytes(save(kept))


OUTSIDE = b'{"0":{"dtype":"F32","shape":[4],"data_offsets":[0,1000000000000]}}'
LESS = b'{"0":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,16]}}'
TWICE = b'{"0":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"1":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}'

HOSTILE: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "nothing": lambda _: b"",
    "a header longer than the file": lambda _: struct.pack("<Q", 1 << 62) + b"{}",
    "a header that is no JSON": lambda _: headed(b"{" * 50),
    "a header without end": lambda _: headed(b"[" * 200_000),
    "an array beyond the file": lambda _: headed(OUTSIDE, bytes(16)),
    "an array larger than its bytes": lambda _: headed(LESS, bytes(16)),
    "arrays that lie in each other": lambda _: headed(TWICE, bytes(12)),
    "a weight too few": lambda _: without_one(),
    "a weight too many": lambda _: weights(more=torch.zeros(3)),
    "a weight of another shape": lambda _: weights(**{"1.weight": torch.zeros(8, 7)}),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_weights_are_refused_in_words(what: str, tmp_path: Path) -> None:
    stored = TORCH.dump(model())

    with pytest.raises(Invalid, match=r"no safetensors|no PyTorch model|do not fit"):
        TORCH.load(Stored(HOSTILE[what](tmp_path / "ran"), stored.code), "binary")
    assert not (tmp_path / "ran").exists()


CODE_PARTS: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"{",
    "more than it may hold": b'{"name":"f","source":"","arguments":{},"path":"/"}',
    "text that is no Python": b'{"name":"f","source":"def f(:","arguments":{}}',
    "another name": b'{"name":"f","source":"def g(torch): pass","arguments":{}}',
    "arguments that it does not take": b'{"name":"f","source":"def f(torch): pass","arguments":{"width":1}}',
    "no module": b'{"name":"f","source":"def f(torch): pass","arguments":{}}',
}


@pytest.mark.parametrize("what", CODE_PARTS)
def test_a_code_part_that_builds_no_module_is_refused_in_words(what: str) -> None:
    with pytest.raises(Invalid, match=r"no PyTorch model|builds no module"):
        TORCH.load(Stored(TORCH.dump(model()).data, CODE_PARTS[what]), "binary")
