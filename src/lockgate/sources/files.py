"""Reads CSV and Parquet files: one, those of a folder, or those that a glob names, here or in an object store.

- Files are read in the order of their names, streamed. All have the columns of the first, in its types.
- In a folder, at any depth, those are read that end as their kind does and do not begin with a dot or an underscore.
- A later reading reads only files that are new, as long as those that were read are there as they were. A file with
  rows that were not known yet counts as not read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from functools import partial
from glob import has_magic
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import obstore
import polars as pl
from obstore.exceptions import BaseError
from obstore.store import S3Store

from lockgate.kernel.errors import Failed, Invalid, NotFound, Unavailable
from lockgate.kernel.names import nearest
from lockgate.records.source import Reader, ReaderKind, SourceSpec
from lockgate.sources.clocks import Cut

__all__ = ["REACHED_BY", "RETRIES", "ROWS", "FilesRead", "alike", "find_files", "streamed"]

ROWS = 500_000
"""How many rows are held at once."""

RETRIES: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
"""How long an object store is asked for its files."""

REACHED_BY = (
    "How to reach it comes from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION; "
    "for another S3 than Amazon's AWS_ENDPOINT_URL, with http:// also AWS_ALLOW_HTTP=true."
)
"""The way out where an object store does not answer as it should."""

T = TypeVar("T")

_ENDINGS = {ReaderKind.CSV: (".csv", ".csv.gz", ".csv.zst"), ReaderKind.PARQUET: (".parquet", ".pq")}
_TYPES: dict[str, Any] = {
    "bool": pl.Boolean,
    "int": pl.Int64,
    "float": pl.Float64,
    "text": pl.String,
    "time": pl.String,  # read as a time later, with the clock
}
_LOOKED_AT = 10_000


class FilesRead:
    """Files on their way into a snapshot; `state` is whole once the batches were taken.

    Args:
        spec: the source.
        cut: cuts off what was not known.
        stamps: all files, in order, each with what changes when it does.
        before: those that were read before, likewise.
        scan: scans one.
    """

    def __init__(
        self,
        spec: SourceSpec,
        cut: Cut,
        stamps: Mapping[str, str],
        before: Mapping[str, str],
        scan: Callable[[str], pl.LazyFrame],
    ) -> None:
        """Choose what is to be read."""
        self._spec, self._cut, self._scan = spec, cut, scan
        self.whole = not before or any(stamps.get(path) != stamp for path, stamp in before.items())
        self._first = next(iter(stamps))
        self._wanted = {path: stamp for path, stamp in stamps.items() if self.whole or path not in before}
        self._read = {} if self.whole else dict(before)

    @property
    def state(self) -> dict[str, Any]:
        """The files that were read, so far."""
        return {"files": self._read}

    def batches(self) -> Iterator[pl.DataFrame]:
        """Give the rows, batch by batch; one empty frame where there are none.

        Raises:
            Invalid: a file has other columns than the first, or no clock.
            Failed: one can't be read.
        """
        first = self._cut.known(_readably(self._spec, self._first, lambda: self._scan(self._first).head(0).collect()))
        empty = True
        for path, stamp in self._wanted.items():
            held = self._cut.held_back
            for batch in streamed(self._spec, path, partial(self._scan, path)):
                yield alike(self._spec, path, first, self._cut.known(batch))
                empty = False
            if self._cut.held_back == held:
                self._read[path] = stamp
        if empty:
            yield first


def find_files(spec: SourceSpec, folder: Path, cut: Cut, before: Mapping[str, Any]) -> FilesRead:
    """Find the files of a source.

    Raises:
        NotFound: there are none.
        Unavailable: the object store can't be asked.
        Failed: the first can't be read.
    """
    parts = urlsplit(spec.reader.where)
    stamps = _in_store(spec) if parts.scheme in {"s3", "s3a"} else _here(spec, folder)
    if not stamps:
        raise NotFound(
            f"The source {spec.name} finds no file",
            expected=f"files ({', '.join(_ENDINGS[spec.reader.kind])}) at {spec.reader.where}",
            found="none",
            way_out="" if parts.netloc else f"Paths are relative to the project folder, {folder}.",
        )
    first = next(iter(stamps))
    types = None
    if spec.reader.kind is ReaderKind.CSV:
        types = _readably(spec, first, lambda: _types(spec, _path(folder, first)))
    scan = partial(_scan, spec.reader, folder, types=types)
    return FilesRead(spec, cut, stamps, before.get("files", {}), scan)


def _here(spec: SourceSpec, folder: Path) -> dict[str, str]:
    """Give the files in reach of a path, by their paths as they are written in it."""
    where = spec.reader.where
    if urlsplit(where).scheme == "file":
        where = url2pathname(urlsplit(where).path)
    place = folder / where
    if has_magic(where) and not place.exists():
        top = Path(place.anchor)
        found = [path for path in top.glob(str(place.relative_to(top))) if path.is_file()]
    elif place.is_dir():
        found = [path for path in place.rglob("*") if path.is_file() and _counts(spec, path.relative_to(place).parts)]
    else:
        found = [place] if place.is_file() else []
    return {
        str(path.relative_to(folder) if path.is_relative_to(folder) else path): f"{seen.st_size} {seen.st_mtime_ns}"
        for path in sorted(found)
        for seen in [path.stat()]
    }


def _in_store(spec: SourceSpec) -> dict[str, str]:
    """Give the objects in reach of a URL, by their own URLs."""
    parts = urlsplit(spec.reader.where)
    key = spec.reader.where.partition("://")[2].partition("/")[2].rstrip("/")
    try:
        store = S3Store(parts.netloc, retry_config=RETRIES)
        found = _objects(store, key)
    except (BaseError, OSError, ValueError) as error:
        raise Unavailable(
            f"The files of the source {spec.name} can't be listed",
            expected=f"the bucket {parts.netloc}, which can be reached and listed",
            found=str(error).strip().partition("\n")[0],
            way_out=REACHED_BY,
        ) from error
    wanted = [one for one in found if _is_meant(spec, one["path"], key)]
    return {
        f"s3://{parts.netloc}/{one['path']}": f"{one['size']} {one['e_tag'] or one['last_modified'].isoformat()}"
        for one in sorted(wanted, key=lambda one: one["path"])
    }


def _objects(store: S3Store, key: str) -> list[Any]:
    """List the folder that is meant, or that the one object lies in."""
    parts = key.split("/")
    if has_magic(key):
        parts = parts[: next(place for place, part in enumerate(parts) if has_magic(part))]
    elif key:
        try:
            return [obstore.head(store, key)]
        except FileNotFoundError:
            pass
    return [one for page in obstore.list(store, prefix="/".join(parts) or None) for one in page]


def _is_meant(spec: SourceSpec, path: str, key: str) -> bool:
    if path == key:
        return True
    if has_magic(key):
        return _matches(path.split("/"), key.split("/"))
    return _counts(spec, path.removeprefix(key).strip("/").split("/"))


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Tell whether a path is meant by a glob, where `**` stands for folders of any depth."""
    if not pattern or not parts:
        return not pattern and not parts
    if pattern[0] == "**":
        return any(_matches(parts[depth:], pattern[1:]) for depth in range(len(parts)))
    return fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _counts(spec: SourceSpec, parts: Sequence[str]) -> bool:
    return parts[-1].endswith(_ENDINGS[spec.reader.kind]) and not any(part.startswith((".", "_")) for part in parts)


def _path(folder: Path, path: str) -> str:
    return path if path.startswith("s3://") else str(folder / path)


def _types(spec: SourceSpec, path: str) -> dict[str, Any]:
    """Tell the types of columns from the first rows of the first file; those that are stated are taken as stated."""
    told = dict(_csv(spec.reader, path, {}).collect_schema())
    stated = {name: _TYPES[kind] for name, kind in spec.reader.options.get("types", {}).items()}
    for name in stated:
        if name not in told:
            msg = f"The source {spec.name} has no column {name}"
            raise Invalid(msg, expected="the columns that types= names", found=nearest(name, told))
    return told | stated


def _scan(reader: Reader, folder: Path, path: str, types: Mapping[str, Any] | None) -> pl.LazyFrame:
    path = _path(folder, path)
    if types is not None:
        return _csv(reader, path, types)
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _csv(reader: Reader, path: str, types: Mapping[str, Any]) -> pl.LazyFrame:
    return pl.scan_csv(
        path,
        glob=False,
        separator=reader.options.get("separator", ","),
        null_values=reader.options.get("null"),
        schema_overrides=types,
        infer_schema_length=_LOOKED_AT,
    )


def streamed(spec: SourceSpec, path: str, scan: Callable[[], pl.LazyFrame]) -> Iterator[pl.DataFrame]:
    """Give the rows of a file in batches; none where it has none.

    Raises:
        Failed: it can't be read.
    """
    batches = _readably(spec, path, lambda: iter(scan().collect_batches(chunk_size=ROWS, maintain_order=True)))
    while (batch := _readably(spec, path, lambda: next(batches, None))) is not None:
        yield batch


def _readably(spec: SourceSpec, path: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Failed(
            f"A file of the source {spec.name} can't be read",
            expected=f"rows in {path}",
            found=str(error).strip().partition("\n")[0],
            way_out=_WAYS_OUT.get(spec.reader.kind, ""),
        ) from error


_WAYS_OUT = {
    ReaderKind.CSV: "Say of what type a column is that its first rows do not tell: types={'weight': 'float'}; and "
    "which texts mean null: null=['NA']. Is it UTF-8, and does each line have as many columns as the first?",
    ReaderKind.PARQUET: "Is it whole? A file should appear in one move, under its name, when it is.",
}


def alike(spec: SourceSpec, path: str, first: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Give rows with their columns in the order of the first file.

    Raises:
        Invalid: they have other columns, or of other types.
    """
    expected, found = first.schema, frame.schema
    if expected == found:
        return frame if first.columns == frame.columns else frame.select(first.columns)
    said = [f"{name} is missing" for name in expected if name not in found]
    said += [f"{name} is {found[name]}" for name in expected if name in found and found[name] != expected[name]]
    said += [f"{name} is there as well" for name in found if name not in expected]
    if not said:
        return frame.select(first.columns)
    raise Invalid(
        f"The files of the source {spec.name} have different columns",
        expected="those of its first file: " + ", ".join(f"{name} {kind}" for name, kind in expected.items()),
        found=f"{path}: {', '.join(said)}",
        way_out="Write it again with the same columns, or read the source by a function that brings them together.",
    )
