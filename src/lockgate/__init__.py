"""From a commit to verified live answers, and keeping them right: the words a project file is written with."""

from lockgate.declare.fitting import Fitted, Parameters, TrainingSet, fitted, last
from lockgate.declare.gates import metric, no_worse_than_live
from lockgate.declare.project import Project
from lockgate.declare.readers import csv, delta, parquet, sql
from lockgate.declare.request import Category, field, fields
from lockgate.declare.rules import between, missing, one_of, row_count, unique

__all__ = [
    "Category",
    "Fitted",
    "Parameters",
    "Project",
    "TrainingSet",
    "between",
    "csv",
    "delta",
    "field",
    "fields",
    "fitted",
    "last",
    "metric",
    "missing",
    "no_worse_than_live",
    "one_of",
    "parquet",
    "row_count",
    "sql",
    "unique",
]

__version__ = "0.1.0"
