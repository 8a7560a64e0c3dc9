"""Reads CSV and Parquet files: one, those of a folder, or those that a glob names, here or in an object store.

- Files are read in the order of their names, streamed. All have the columns of the first, in its types.
- A later reading reads only files that are new, as long as those that were read are there as they were. A file with
  rows that were not known yet counts as not read.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from fnmatch import fnmatch
from glob import has_magic
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
import polars as pl
from obstore.exceptions import BaseError
from obstore.store import S3Store

from lockgate.kernel.errors import Failed, Invalid, NotFound, Unavailable
from lockgate.records.source import Reader, ReaderKind, SourceSpec
from lockgate.sources.clocks import Cut

__all__ = ["BATCH", "RETRIES", "FilesRead", "object_options", "read_files", "same_columns"]

BATCH = 500_000
"""Rows that are held at once."""

RETRIES: dict[str, Any] = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
"""How often a bucket is asked again."""

_ENDINGS = {ReaderKind.CSV: (".csv", ".csv.gz", ".csv.zst"), ReaderKind.PARQUET: (".parquet", ".pq")}
_TYPES: dict[str, Any] = {"bool": pl.Boolean, "int": pl.Int64, "float": pl.Float64, "text": pl.String}

Listed = dict[str, str]
"""Paths, with what changes when a file does: its size and when it was written, or its ETag."""


class FilesRead:
    """Files on their way into a snapshot; `state` is whole once the batches were taken.

    Args:
        spec: the source.
        cut: cuts off what was not known.
        listed: all files.
        before: those that were read before, likewise.
        scan: scans one.
    """

    def __init__(
        self,
        spec: SourceSpec,
        cut: Cut,
        listed: Listed,
        before: Mapping[str, str],
        scan: Callable[[str], pl.LazyFrame],
    ) -> None:
        """Choose what is to be read."""
        self._spec, self._cut, self._scan = spec, cut, scan
        # What was read is there as it was: only what came since is read.
        self.whole = not before or any(listed.get(path) != stamp for path, stamp in before.items())
        self._wanted = {path: stamp for path, stamp in listed.items() if self.whole or path not in before}
        self.state: dict[str, str] = {} if self.whole else dict(before)
        self._first = next(iter(listed))

    def batches(self) -> Iterator[pl.DataFrame]:
        """Give the rows, batch by batch; one empty frame where there are none.

        Raises:
            Invalid: a file has other columns than the first.
            Failed: one can't be read.
        """
        schema: dict[str, Any] | None = None
        for path, stamp in self._wanted.items():
            held = self._cut.held_back
            for batch in _streamed(self._spec, self._scan(path), path):
                schema = schema or dict(batch.schema)
                same_columns(self._spec, path, schema, dict(batch.schema))
                yield self._cut.known(batch)
            if self._cut.held_back == held:
                self.state[path] = stamp
        if schema is None:
            yield self._cut.known(next(_streamed(self._spec, self._scan(self._first).head(0), self._first)))


def read_files(spec: SourceSpec, folder: Path, cut: Cut, before: Mapping[str, str]) -> FilesRead:
    """Find the files of a source.

    Raises:
        NotFound: there are none.
        Unavailable: the object store can't be asked.
    """
    reader = spec.reader
    listed = _in_store(spec) if urlsplit(reader.where).scheme in {"s3", "s3a"} else _here(spec, folder)
    if not listed:
        raise NotFound(
            f"The source {spec.name} has no files to read",
            expected=f"{' or '.join(_ENDINGS[reader.kind])} at {reader.where}",
            found="none",
            way_out="Paths are relative to the project folder.",
        )
    return FilesRead(spec, cut, listed, before, lambda path: _scan(reader, path))


def _here(spec: SourceSpec, folder: Path) -> Listed:
    where = spec.reader.where.removeprefix("file://")
    if has_magic(where):
        found = sorted(folder.glob(where)) if not Path(where).is_absolute() else sorted(Path("/").glob(where[1:]))
    elif (folder / where).is_dir():
        found = [one for one in sorted((folder / where).rglob("*")) if one.name.endswith(_ENDINGS[spec.reader.kind])]
    else:
        found = [folder / where]
    files = [path for path in found if path.is_file()]
    return {str(path): f"{path.stat().st_size} {path.stat().st_mtime_ns}" for path in files}


def _in_store(spec: SourceSpec) -> Listed:
    parts = urlsplit(spec.reader.where)
    bucket, pattern = parts.netloc, parts.path.lstrip("/")
    prefix = pattern
    if has_magic(pattern):
        prefix = "/".join(part for part in pattern.split("/")[: _plain_parts(pattern)])
    try:
        store = S3Store(bucket, retry_config=RETRIES)  # type: ignore[arg-type]
        found = [one for page in obstore.list(store, prefix=_folder_of(pattern, prefix)) for one in page]
    except (BaseError, OSError, ValueError) as error:
        raise Unavailable(
            f"The source {spec.name} can't be read from {parts.scheme}://{bucket}",
            expected="a bucket that can be reached and listed",
            found=str(error).partition("\n")[0],
            way_out="Credentials and the address come from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
            "AWS_REGION, AWS_ENDPOINT_URL.",
        ) from error
    endings = _ENDINGS[spec.reader.kind]
    wanted = [one for one in found if _is_wanted(one["path"], pattern, endings)]
    return {
        f"{parts.scheme}://{bucket}/{one['path']}": f"{one['size']} {one['e_tag'] or one['last_modified']}"
        for one in sorted(wanted, key=lambda one: one["path"])
    }


def _plain_parts(pattern: str) -> int:
    parts = pattern.split("/")
    return next(number for number, part in enumerate(parts) if has_magic(part))


def _folder_of(pattern: str, prefix: str) -> str | None:
    """Give the folder to list: a store's prefixes are folders."""
    if has_magic(pattern):
        return prefix or None
    return pattern.rpartition("/")[0] or None if "." in pattern.rpartition("/")[2] else pattern or None


def _is_wanted(path: str, pattern: str, endings: tuple[str, ...]) -> bool:
    if has_magic(pattern):
        return fnmatch(path, pattern)
    return path == pattern or (path.startswith(f"{pattern.rstrip('/')}/" if pattern else "") and path.endswith(endings))


def object_options() -> dict[str, str]:
    """Give how to reach an object store, as the environment says."""
    return {name.lower(): value for name, value in os.environ.items() if name.startswith("AWS_")}


def _scan(reader: Reader, path: str) -> pl.LazyFrame:
    storage = object_options() if urlsplit(path).scheme in {"s3", "s3a"} else None
    if reader.kind is ReaderKind.PARQUET:
        return pl.scan_parquet(path, storage_options=storage)
    options = reader.options
    types = {name: _TYPES[kind] for name, kind in options.get("types", {}).items() if kind != "time"}
    times = [name for name, kind in options.get("types", {}).items() if kind == "time"]
    scanned = pl.scan_csv(
        path,
        separator=options.get("separator", ","),
        null_values=options.get("null"),
        schema_overrides=types,
        try_parse_dates=True,
        infer_schema_length=10_000,
        storage_options=storage,
    )
    schema = scanned.collect_schema() if times else {}
    texts = [name for name in times if schema.get(name) == pl.String]
    return scanned.with_columns(pl.col(name).str.to_datetime(time_unit="us") for name in texts)


def _streamed(spec: SourceSpec, rows: pl.LazyFrame, path: str) -> Iterator[pl.DataFrame]:
    """Give rows in batches; one empty frame where there are none."""
    empty = True
    try:
        for batch in rows.collect_batches(chunk_size=BATCH, maintain_order=True):
            if batch.height:
                empty = False
                yield batch
        if empty:
            yield rows.head(0).collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise Failed(
            f"A file of the source {spec.name} can't be read",
            expected=f"{spec.reader.kind.value} rows in {path}",
            found=str(error).partition("\n")[0],
            way_out="Name types that can't be told from the first rows with types=, texts that mean null with null=."
            if spec.reader.kind is ReaderKind.CSV
            else "Write the file again; files are to appear whole.",
        ) from error


def same_columns(spec: SourceSpec, path: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> None:
    """Refuse a file with other columns than the first.

    Raises:
        Invalid: with what differs.
    """
    if list(expected.items()) == list(found.items()):
        return
    differs = [f"{name} is {found.get(name, 'not there')}" for name in expected if found.get(name) != expected[name]]
    differs += [f"{name} is there as well" for name in found if name not in expected]
    raise Invalid(
        f"The files of the source {spec.name} have different columns",
        expected=", ".join(f"{name} {kind}" for name, kind in expected.items()),
        found=f"{path}: {', '.join(differs) or 'another order'}",
        way_out="Write the files alike, or read them by a function. For CSV, types= says what a column is.",
    )
