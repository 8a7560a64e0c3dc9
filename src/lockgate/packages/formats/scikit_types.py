"""Which types a skops file may hold. The list is the server's: nothing in a package adds to it.

- scikit-learn's estimators are on the list that skops brings; loading one sets its attributes. So are the functions of
  numbers of NumPy and SciPy. No other function is: a `FunctionTransformer` of your own would be code, and this is data.
- What estimators keep inside is on the list below, type by type. Each was read: loading it fills in numbers and
  attributes. A name stands there for one use only: a class that may be filled in may not be called.
- What could do more than compute is refused, though skops takes it: `_REFUSED`.
"""

from collections.abc import Iterable
from typing import Any

from lockgate.kernel.errors import Invalid

__all__ = ["TRUSTED", "refuse_foreign", "types_in"]

_INSIDE: dict[str, dict[str, str]] = {
    "ObjectNode": {
        "sklearn._loss.loss": "HalfTweedieLoss HalfTweedieLossIdentity",
        "sklearn.calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
        "sklearn.ensemble._hist_gradient_boosting.binning": "_BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "sklearn.gaussian_process._gpc": "_BinaryGaussianProcessClassifierLaplace",
        "sklearn.gaussian_process.kernels": "ConstantKernel DotProduct ExpSineSquared Exponentiation Matern Product RBF"
        " RationalQuadratic Sum WhiteKernel",
        # Not those that read a vector of their own, nor PyFuncDistance64, which calls a function.
        "sklearn.metrics._dist_metrics": "BrayCurtisDistance64 CanberraDistance64 ChebyshevDistance64"
        " EuclideanDistance64 HammingDistance64 ManhattanDistance64 MinkowskiDistance64",
        "sklearn.neighbors._ball_tree": "BallTree",
        "sklearn.neighbors._kd_tree": "KDTree",
        "sklearn.neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
        "scipy.interpolate._bsplines": "BSpline",
    },
    "DictNode": {"sklearn.utils._bunch": "Bunch"},
    "TreeNode": {"sklearn.tree._tree": "Tree"},
    "DTypeNode": {"numpy": "dtype"},
    # Of a function that is itself on a list; gradient boosting with categories has one.
    "PartialNode": {"functools": "partial"},
    "FunctionNode": {
        "sklearn.utils.validation": "check_array",
        "sklearn.feature_selection._univariate_selection": "f_classif f_regression chi2",
        "sklearn.feature_selection._mutual_info": "mutual_info_classif mutual_info_regression",
        "scipy._lib.array_api_compat.numpy._aliases": "asarray",
    },
}
"""What may stand for what: an object whose attributes are filled in, a dictionary, a function, ..."""

_USES: dict[str, str] = {
    f"{module}.{name}": use
    for use, modules in _INSIDE.items()
    for module, names in modules.items()
    for name in names.split()
}

_OPENS_FILES = "A vectorizer opens the files that it is asked about. Make numbers of text in a feature."
_REFUSED = {
    "sklearn.feature_extraction.text.CountVectorizer": _OPENS_FILES,
    "sklearn.feature_extraction.text.HashingVectorizer": _OPENS_FILES,
    "sklearn.feature_extraction.text.TfidfVectorizer": _OPENS_FILES,
}
"""On skops' list, but not on ours; and the way out."""

_WAYS_OUT = {
    "sklearn.model_selection.": "A search keeps its scores and times. Store what it found: search.best_estimator_.",
    "sklearn.metrics._dist_metrics.": "Scale the columns, and use euclidean, manhattan, chebyshev or minkowski.",
    "sklearn.metrics.": "A search keeps its scores and times. Store what it found: search.best_estimator_.",
}
_OTHER_WAY_OUT = (
    "Use scikit-learn's own steps. What a step or function of yours computes can be a feature;"
    " a model of LightGBM, XGBoost or ONNX has a format of its own."
)

TRUSTED = frozenset(_USES)
"""What skops is told to trust, beside its own list."""


def types_in(schema: Any) -> Iterable[tuple[str, str]]:  # noqa: ANN401 - any JSON value
    """Give every type that a schema names, with what it is to be used for."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if isinstance(use := node.get("__loader__"), str):
                yield f"{node.get('__module__')}.{node.get('__class__')}", use
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)


def refuse_foreign(schema: Any, unknown: Iterable[str]) -> None:  # noqa: ANN401 - any JSON value
    """Refuse a file that names types which this server does not load.

    Args:
        schema: what the file says that it holds.
        unknown: the types in it that neither list has.

    Raises:
        Invalid: it does; the types are named.
    """
    misused = {name for name, use in types_in(schema) if name in _REFUSED or _USES.get(name, use) != use}
    foreign = sorted(misused | set(unknown))
    if not foreign:
        return
    raise Invalid(
        "This model holds types that this server does not load",
        expected="scikit-learn's own types, each in its place",
        found=", ".join(foreign[:5]),
        way_out=_way_out(foreign[0]),
    )


def _way_out(name: str) -> str:
    if name in _REFUSED:
        return _REFUSED[name]
    return next((way for begin, way in _WAYS_OUT.items() if name.startswith(begin)), _OTHER_WAY_OUT)
