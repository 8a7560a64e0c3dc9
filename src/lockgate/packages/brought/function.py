"""A function of a script that is there already, closed over literals: it becomes a feature, and the model hands it on.

So it gets its parameters as they are on the wire, texts and times too, and answers in the endpoint as CPython does
here. What it raises for want of a value means null, and a model can't answer null.
"""

import importlib.util
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from lockgate.declare.mistakes import collecting
from lockgate.kernel.closure import close
from lockgate.kernel.errors import Invalid
from lockgate.kernel.names import nearest
from lockgate.packages.formats.function import FUNCTION
from lockgate.packages.formats.protocol import Stored
from lockgate.project.types import annotations_of, kind_of
from lockgate.records.features import Code, FeatureSpec, FieldKind, Input, InputKind

__all__ = ["BroughtFunction", "find_function", "open_function"]


class BroughtFunction(msgspec.Struct, frozen=True, kw_only=True):
    """A function that was opened."""

    # What is packed: the function as a feature, and a model that answers what it gives.
    feature: FeatureSpec
    stored: Stored
    # The function itself.
    call: Callable[..., Any]
    # For each parameter its type and whether it may be null, as annotated; None where it is not.
    parameters: dict[str, tuple[FieldKind, bool] | None]


def open_function(script: Path, name: str, reach: str) -> BroughtFunction:
    """Run a script and close a function of it.

    Args:
        script: the file; it is run.
        name: the function's.
        reach: the folder that the script finds its own modules in.

    Raises:
        Invalid: the script does not load, has no such function, or the function can't be closed.
    """
    call = find_function(script, name, reach)
    source, literals = close(call)
    signature = inspect.signature(call)
    odd = [one.name for one in signature.parameters.values() if one.kind is not one.POSITIONAL_OR_KEYWORD]
    if odd or not signature.parameters:
        expected = "plain parameters, one for each column of the example rows that it reads"
        raise Invalid(
            f"{name} has other parameters than it may have", expected=expected, found=", ".join(odd) or "none"
        )
    annotated = annotations_of(call, str(script))
    parameters = {one: _kind(annotated[one], one) if one in annotated else None for one in signature.parameters}
    gives = _kind(annotated["return"], "the return value") if "return" in annotated else (FieldKind.FLOAT, False)
    if gives[0] not in {FieldKind.BOOL, FieldKind.INT, FieldKind.FLOAT}:
        raise Invalid(f"{name} gives no answer", expected="bool, int or float", found=gives[0].value)
    feature = FeatureSpec(
        name=name,
        version=1,
        inputs=tuple(Input(parameter=one, kind=InputKind.FIELD, name=one) for one in parameters),
        returns=gives[0],
        code=Code(name=name, source=source, literals=literals),
    )
    return BroughtFunction(feature=feature, stored=FUNCTION.dump(_answered), call=call, parameters=parameters)


def _answered(value):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - its text is what is packed
    return value


def find_function(script: Path, name: str, reach: str) -> Callable[..., Any]:
    """Run a script and give a function of it.

    Raises:
        Invalid: it does not load, or has no such function.
    """
    sys.path.insert(0, reach)
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None:
        raise Invalid(f"{script.name} is no script", expected="a file that ends in .py", found=script.name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[script.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise Invalid(
            f"{script.name} does not load",
            expected="a script that can be imported",
            found=f"{type(error).__name__}: {error}",
        ) from error
    known = [one for one, value in vars(module).items() if inspect.isfunction(value)]
    found = vars(module).get(name)
    if not inspect.isfunction(found):
        raise Invalid(
            f"{script.name} has no function {name}",
            expected=", ".join(known) or "a function",
            found=name,
            way_out=nearest(name, known),
        )
    return found


def _kind(annotation: object, what: str) -> tuple[FieldKind, bool]:
    with collecting() as faults:
        found = kind_of(annotation, what, what)
    if found is None:
        raise Invalid("An annotation of this function is not taken", faults=tuple(faults))
    return found
