"""A PyTorch module out of its weights as safetensors and a function of a script that builds it.

The script is run once, to find the function; what travels is the function's text, which reads its arguments only.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.declare.fitting import TorchModel
from lockgate.kernel.errors import Invalid
from lockgate.packages.brought.function import find_function
from lockgate.packages.brought.models import Brought
from lockgate.packages.formats.pytorch import TORCH, check_header

__all__ = ["open_torch"]


def open_torch(data: bytes, script: Path, name: str, arguments: dict[str, Any], reach: str) -> Brought:
    """Build the module and give it its weights.

    Args:
        data: the weights.
        script: the file; it is run.
        name: the function's; it is given `torch` and the arguments.
        arguments: JSON values.
        reach: the folder that the script finds its own modules in.

    Raises:
        Invalid: these are no weights, or not those of the module that the function builds.
    """
    try:
        import torch  # noqa: PLC0415 - the model's own library, only with the model
        from safetensors import SafetensorError  # noqa: PLC0415 - likewise
        from safetensors.torch import load  # noqa: PLC0415 - likewise
    except ModuleNotFoundError as error:
        way_out = "pip install 'lockgate[torch]'"
        raise Invalid("PyTorch is not installed here", expected="torch", found=str(error), way_out=way_out) from error
    check_header(data)
    build = find_function(script, name, reach)
    try:
        weights = load(data)
        module = build(torch, **arguments)
        module.load_state_dict(weights, assign=True)  # as they are: a module of float64 is built as float32
    except (SafetensorError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise Invalid(
            f"These weights do not fit what {name} builds",
            expected="a module of the same names and shapes",
            found=f"{type(error).__name__}: {str(error)[:300]}",
        ) from error
    module.eval()
    kinds = {value.dtype for value in weights.values() if value.dtype.is_floating_point}
    kind = kinds.pop() if len(kinds) == 1 else torch.float32

    def ask(x: NDArray[np.float64]) -> NDArray[np.float64]:
        with torch.inference_mode():
            given = module(torch.tensor(x, dtype=kind))
        return np.asarray(given.reshape(len(x)).to(torch.float64).numpy())

    return Brought(
        format="torch-safetensors/1",
        stored=TORCH.dump(TorchModel(module, build, arguments)),
        fitted=f"{type(module).__name__} (torch {torch.__version__})",
        ask=ask,
    )
