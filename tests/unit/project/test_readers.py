"""Readers are plain data without credentials; what is wrong with one is told where it is declared."""

from pathlib import Path

import pytest

from lockgate.kernel.errors import Invalid
from lockgate.records.source import Reader, ReaderKind
from tests.making.projects import PROJECT, load_text

DECLARED = "project.source(tables.arrivals, "
SECRET = "hunter2"


def reader_of(folder: Path, said: str) -> Reader:
    text = PROJECT.replace(DECLARED, f"project.source({said}, name='arrivals', ")
    return load_text(folder, text).blueprint.source("arrivals").reader


RIGHT = {
    "lg.csv('a/*.csv', separator=';', null=['-'], types={'n': 'int'}, timezone='UTC')": Reader(
        kind=ReaderKind.CSV,
        where="a/*.csv",
        options={"separator": ";", "null": ["-"], "types": {"n": "int"}, "timezone": "UTC"},
    ),
    "lg.parquet('s3://lake/a')": Reader(kind=ReaderKind.PARQUET, where="s3://lake/a"),
    "lg.sql('sqlite:///a.db', table='t', cursor='at', overlap=span(hours=1))": Reader(
        kind=ReaderKind.SQL,
        where="sqlite:///a.db",
        options={"table": "t", "cursor": "at", "overlap_seconds": 3600.0},
    ),
    "lg.sql(url_env='DB', query='SELECT 1')": Reader(
        kind=ReaderKind.SQL, where="", options={"query": "SELECT 1", "url_env": "DB"}
    ),
    "lg.delta('t', version=3, copy=False)": Reader(
        kind=ReaderKind.DELTA, where="t", options={"version": 3, "copy": False}
    ),
}


@pytest.mark.parametrize("said", RIGHT)
def test_a_reader_is_kept_as_it_was_said(tmp_path: Path, said: str) -> None:
    assert reader_of(tmp_path, said) == RIGHT[said]


WRONG = {
    f"lg.sql('postgresql://ada:{SECRET}@db/x', table='t')": "a URL without a password",
    f"lg.sql('postgresql://ada@db/x?password={SECRET}', table='t')": "a URL without a password",
    "lg.sql('sales.db', table='t')": "the URL of a database",
    "lg.sql('sqlite:///a.db')": "a table or a query",
    "lg.sql('sqlite:///a.db', table='t', overlap=3)": "a cursor, for overlap to be before",
    "lg.sql(table='t')": "a url or url_env",
    "lg.parquet('')": "a path or URL",
    "lg.parquet('gs://lake/a')": "a URL that begins with s3://",
    "lg.parquet('a', timezone='Europe/Amsterdm')": "Did you mean 'Europe/Amsterdam'?",
    "lg.csv('a.csv', separator='::')": "one character between columns",
    "lg.csv('a.csv', types={'n': 'number'})": "n as one of bool, int, float, text, time",
    "lg.delta('t', version=-1)": "a version from 0 on",
}


@pytest.mark.parametrize("said", WRONG)
def test_what_is_wrong_with_a_reader_is_told(tmp_path: Path, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        reader_of(tmp_path, said)

    assert WRONG[said] in str(refused.value)
    assert SECRET not in str(refused.value)
