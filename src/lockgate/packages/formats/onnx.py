"""ONNX models, asked by ONNX Runtime on one thread.

- All of a model is in its bytes: tensors kept in other files are refused, or a model would read them from wherever the
  server stands; operators beyond ONNX's own two domains are refused, they would come from a library beside it.
- Most of these models take float32. What they then answer is what is compared with reference answers.
"""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid
from lockgate.packages.formats.protocol import Format, Scorer, Stored, Trees

__all__ = ["ONNX", "runtime"]

_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}
_PROBABILITIES = ("probabilities", "output_probability", "probability", "probs")
_QUIET = 3  # errors only


class _Onnx:
    """`onnx.ModelProto`."""

    def takes(self, model: Any) -> bool:  # noqa: ANN401 - any object a user may hand over
        return type(model).__name__ == "ModelProto" and type(model).__module__.partition(".")[0] == "onnx"

    def scorer(self, model: Any, task: str) -> Scorer:  # noqa: ANN401 - what `takes` took
        return self.load(self.dump(model), task)

    def dump(self, model: Any) -> Stored:  # noqa: ANN401 - what `takes` took
        _check(model)
        return Stored(model.SerializeToString(deterministic=True))

    def trees(self, model: Any) -> Trees | None:  # noqa: ANN401 - what `takes` took
        del model
        return None

    def load(self, stored: Stored, task: str) -> Scorer:
        import onnx  # noqa: PLC0415 - the model's own library, only with the model
        from google.protobuf.message import DecodeError  # noqa: PLC0415 - likewise

        try:
            model = onnx.ModelProto.FromString(stored.data)
        except DecodeError as error:
            raise Invalid("These bytes are no ONNX model", expected="a ModelProto", found=str(error)) from error
        _check(model)
        onnxruntime = runtime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _QUIET
        try:
            session = onnxruntime.InferenceSession(stored.data, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions have no common class
            raise Invalid(
                "ONNX Runtime can't load this model", expected="a valid model", found=str(error)[:200]
            ) from error
        return _Session(session, task)


def runtime() -> Any:  # noqa: ANN401 - a module
    """Give ONNX Runtime, told to keep to itself: by default it writes an id of the machine and reports to its maker."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime  # noqa: PLC0415 - the model's own library, only with the model

    return onnxruntime


def _check(model: Any) -> None:  # noqa: ANN401 - a ModelProto
    """Refuse what would bring in something from outside the bytes."""
    from onnx import NodeProto, TensorProto  # noqa: PLC0415 - the model's own library, only with the model

    for part in _parts(model):
        if isinstance(part, TensorProto) and part.data_location == TensorProto.EXTERNAL:
            raise Invalid(
                "This ONNX model keeps tensors in other files",
                expected="a model that is whole",
                found=f"the external tensor {part.name!r}",
                way_out="Save it as one file: onnx.save_model(model, path, save_as_external_data=False).",
            )
        if isinstance(part, NodeProto) and part.domain not in _DOMAINS:
            raise Invalid(
                "This ONNX model uses operators that this server does not have",
                expected="operators of ai.onnx and ai.onnx.ml",
                found=f"{part.domain}.{part.op_type}",
            )
    if not model.graph.node:
        raise Invalid("These bytes are no ONNX model", expected="a graph with nodes", found="none")


def _parts(message: Any) -> Iterator[Any]:  # noqa: ANN401 - any protobuf message
    """Give a message and all that it holds, at any depth."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        yield part
        for field, value in part.ListFields():
            if field.message_type is not None:
                waiting.extend([value] if hasattr(value, "ListFields") else value)


class _Session:
    def __init__(self, session: Any, task: str) -> None:  # noqa: ANN401 - ONNX Runtime publishes no types
        inputs = session.get_inputs()
        if len(inputs) != 1 or inputs[0].type not in _TYPES:
            raise Invalid(
                "This ONNX model asks for other inputs than a matrix",
                expected="one input of floats or doubles",
                found=", ".join(f"{one.name}: {one.type}" for one in inputs) or "none",
            )
        self._session, self._input = session, inputs[0].name
        self._type = _TYPES[inputs[0].type]
        self._output = _answer(session.get_outputs(), task)

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        with np.errstate(over="ignore"):
            given = self._session.run([self._output], {self._input: x.astype(self._type)})[0]
        scores = np.asarray(given, dtype=np.float64)
        if scores.ndim == 2:  # noqa: PLR2004 - (rows, classes)
            scores = scores[:, -1]
        return scores


def _answer(outputs: Any, task: str) -> str:  # noqa: ANN401 - ONNX Runtime publishes no types
    """Choose the output that is the score: the only one of floats, or the one that is named as probabilities are."""
    floats = [one.name for one in outputs if one.type in _TYPES]
    named = [name for name in floats if name.lower() in _PROBABILITIES]
    if task == "binary" and len(named) == 1:
        return str(named[0])
    if len(floats) == 1:
        return str(floats[0])
    mapped = any(one.type.startswith("seq(map") for one in outputs)
    raise Invalid(
        "It is not clear which output of this ONNX model is the score",
        expected="one output of floats",
        found=", ".join(f"{one.name}: {one.type}" for one in outputs),
        way_out="Convert it with zipmap=False." if mapped else "Leave only that output in its graph.",
    )


ONNX: Format = _Onnx()
