"""From a commit to verified live answers, and keeping them right: the words a project file is written with."""

from lockgate.declare.features import feature
from lockgate.declare.fitting import Fitted, Parameters, TorchModel, TrainingSet, fitted, last, torch_model
from lockgate.declare.gates import metric, no_worse_than_live
from lockgate.declare.performance import (
    cold_start,
    cpu,
    latency,
    memory,
    no_slower_than_live,
    package_size,
    throughput,
)
from lockgate.declare.project import Project
from lockgate.declare.readers import csv, delta, parquet, sql
from lockgate.declare.request import Category, field, fields
from lockgate.declare.rules import (
    between,
    fresh,
    holds,
    in_order,
    jensen_shannon,
    ks,
    missing,
    missing_change,
    one_of,
    psi,
    refers_to,
    row_change,
    row_count,
    row_loss,
    rules_from,
    typed,
    unique,
    unseen,
    varies,
)
from lockgate.declare.run import Run

__all__ = [
    "Category",
    "Fitted",
    "Parameters",
    "Project",
    "Run",
    "TorchModel",
    "TrainingSet",
    "between",
    "cold_start",
    "cpu",
    "csv",
    "delta",
    "feature",
    "field",
    "fields",
    "fitted",
    "fresh",
    "holds",
    "in_order",
    "jensen_shannon",
    "ks",
    "last",
    "latency",
    "memory",
    "metric",
    "missing",
    "missing_change",
    "no_slower_than_live",
    "no_worse_than_live",
    "one_of",
    "package_size",
    "parquet",
    "psi",
    "refers_to",
    "row_change",
    "row_count",
    "row_loss",
    "rules_from",
    "sql",
    "throughput",
    "torch_model",
    "typed",
    "unique",
    "unseen",
    "varies",
]

__version__ = "0.1.0"
