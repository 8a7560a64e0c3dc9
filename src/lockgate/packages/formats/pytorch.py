"""PyTorch modules: weights as safetensors, and the function that builds the module as the code part.

The function is given `torch` and its arguments, and gives a module that takes the weights. Its text is run when the
package is loaded, after the signature over it was verified; it is your code and can do what your code can.
"""

import inspect
import json
import struct
import symtable
import textwrap
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.declare.fitting import TorchModel
from lockgate.kernel.errors import Invalid
from lockgate.packages.formats.protocol import Format, Scorer, Stored, Trees

__all__ = ["TORCH", "check_header"]

_LARGEST_HEADER = 16 << 20


class _Code(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    source: str
    arguments: dict[str, Any]


class _Safetensors:
    """`lockgate.torch_model(module, build)`."""

    def takes(self, model: Any) -> bool:  # noqa: ANN401 - any object a user may hand over
        return isinstance(model, TorchModel)

    def scorer(self, model: Any, task: str) -> Scorer:  # noqa: ANN401 - what `takes` took
        return _Module(model.module, task)

    def dump(self, model: Any) -> Stored:  # noqa: ANN401 - what `takes` took
        from safetensors.torch import save  # noqa: PLC0415 - the model's own library, only with the model

        source = _source(model.build)
        code = _Code(name=model.build.__name__, source=source, arguments=dict(model.arguments))
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.module.state_dict().items()}
        return Stored(save(weights), msgspec.json.encode(code, order="deterministic"))

    def trees(self, model: Any) -> Trees | None:  # noqa: ANN401 - what `takes` took
        del model
        return None

    def load(self, stored: Stored, task: str) -> Scorer:
        import torch  # noqa: PLC0415 - the model's own library, only with the model
        from safetensors import SafetensorError  # noqa: PLC0415 - likewise
        from safetensors.torch import load  # noqa: PLC0415 - likewise

        check_header(stored.data)
        try:
            code = msgspec.json.decode(stored.code, type=_Code)
            weights = load(stored.data)
        except (msgspec.MsgspecError, SafetensorError, ValueError) as error:
            raise Invalid(
                "These bytes are no PyTorch model",
                expected="safetensors and the function that builds its module",
                found=str(error),
            ) from error
        module = _built(code, torch)
        try:
            # Assigned, not copied: a module of float64 is built as float32, and would round them.
            module.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            raise Invalid(
                f"The weights do not fit the module that {code.name} builds",
                expected="the same names and shapes",
                found=str(error)[:300],
            ) from error
        return _Module(module, task)


def check_header(data: bytes) -> None:
    """Refuse a header that says to be longer than what there is, or than any should be.

    Raises:
        Invalid: it does, or is no JSON.
    """
    length = struct.unpack("<Q", data[:8])[0] if len(data) >= 8 else 0  # noqa: PLR2004 - a u64 begins the file
    if not 0 < length <= min(_LARGEST_HEADER, len(data) - 8):
        raise Invalid("These bytes are no safetensors", expected="a header inside the file", found=f"{length} bytes")
    try:
        json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError) as error:
        raise Invalid("These bytes are no safetensors", expected="a JSON header", found=str(error)) from error


def _source(build: Any) -> str:  # noqa: ANN401 - a function
    """Give the text of a function that reads no global of its module."""
    source = textwrap.dedent(inspect.getsource(build))
    table = symtable.symtable(source, build.__name__, "exec").get_children()[0]
    waiting, read = [table], set()
    while waiting:
        scope = waiting.pop()
        read |= {one.get_name() for one in scope.get_symbols() if one.is_global()}
        waiting += scope.get_children()
    foreign = sorted(name for name in read if name in build.__globals__)
    if foreign or build.__code__.co_freevars:
        raise Invalid(
            f"{build.__name__} reads what is not in it",
            expected="a function that reads its arguments only, torch being the first",
            found=", ".join([*foreign, *build.__code__.co_freevars]),
        )
    return source


def _built(code: _Code, torch: Any) -> Any:  # noqa: ANN401 - a module, and what it is in
    """Run the code part; what it builds is to be given its weights."""
    scope: dict[str, Any] = {}
    try:
        exec(compile(code.source, f"<{code.name}>", "exec"), scope)  # noqa: S102 - signed text; see the module's law
        module = scope[code.name](torch, **code.arguments)
    except Exception as error:
        # A user's function: it raises what it likes.
        found = f"{type(error).__name__}: {error}"
        raise Invalid("This code part builds no module", expected=f"a function {code.name}", found=found) from error
    if not isinstance(module, torch.nn.Module):
        raise Invalid("This code part builds no module", expected="a torch.nn.Module", found=type(module).__name__)
    return module


class _Module:
    def __init__(self, module: Any, task: str) -> None:  # noqa: ANN401 - a torch module
        self._module, self._binary = module.eval(), task == "binary"
        kinds = {value.dtype for value in module.state_dict().values() if value.dtype.is_floating_point}
        self._type = kinds.pop() if len(kinds) == 1 else None

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        import torch  # noqa: PLC0415 - the model's own library, only with the model

        with torch.inference_mode():
            given = self._module(torch.from_numpy(np.ascontiguousarray(x)).to(self._type or torch.float32))
        return np.asarray(given.reshape(len(x)).to(torch.float64).numpy())


TORCH: Format = _Safetensors()
