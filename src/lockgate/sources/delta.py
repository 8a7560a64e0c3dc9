"""Reads a Delta Lake table at a version, which is recorded.

- A later reading reads only the files that were added, as long as the table only grew. One with deletion vectors or
  renamed columns is read whole: its files alone do not tell its rows.
- Files are read in the order in which they were written: what was told last counts.
- A table can be referred to instead of copied, if each of its files holds its rows just as they are read.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, unquote, urlsplit
from urllib.request import url2pathname

import polars as pl

from lockgate.kernel.errors import Failed, Invalid, NotFound, Unavailable
from lockgate.records.snapshot import ReferencedFile, TableReference
from lockgate.records.source import SourceSpec
from lockgate.sources.clocks import Cut
from lockgate.sources.files import REACHED_BY, FilesRead, streamed

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["DeltaRead", "open_table"]

_RENAMED = "delta.columnMapping.mode"
_PARTITION = "partition."
# How deltalake joins an error to what caused it.
_LAYER = re.compile(r"\s*\x1b\[31m↳\x1b\[0m\s*")


class _File(NamedTuple):
    """A file of a table."""

    size: int
    # The columns that it does not hold, since they are the same in all of its rows.
    values: dict[str, Any]


class DeltaRead:
    """Rows of a table on their way into a snapshot; `state` is whole once the batches were taken.

    Args:
        spec: the source.
        table: the table.
        cut: cuts off what was not known.
        before: the state of the reading before.

    Raises:
        Invalid: it can't be referred to.
    """

    def __init__(self, spec: SourceSpec, table: "DeltaTable", cut: Cut, before: Mapping[str, Any]) -> None:
        """Choose what is to be read."""
        self._spec, self._table, self._cut = spec, table, cut
        self._everything = pl.scan_delta(table)
        self._schema = self._everything.collect_schema()
        needs = _needs(table)
        self._found = {} if needs else _files(table)
        self.reference: TableReference | None = None
        if spec.reader.options.get("copy") is False:
            self.reference, before = self._referred_to(needs), {}
        stamps = {path: str(file.size) for path, file in self._found.items()}
        self._files = FilesRead(spec, cut, stamps, before.get("files", {}), self._scan) if stamps else None
        self.whole = self._files is None or self._files.whole

    @property
    def state(self) -> dict[str, Any]:
        """The version, and the files that were read, so far."""
        return {"version": self._table.version(), **(self._files.state if self._files else {})}

    def batches(self) -> Iterator[pl.DataFrame]:
        """Give the rows, batch by batch; one empty frame where there are none.

        Raises:
            Invalid: it has no clock.
            Failed: files of that version can't be read.
        """
        try:
            yield from self._whole() if self._files is None else self._files.batches()
        except Failed as error:
            raise Failed(
                f"Version {self._table.version()} of the table of the source {self._spec.name} can't be read",
                expected=error.expected,
                found=error.found,
                way_out="Its owner may have vacuumed it. Name a version whose files are still there.",
            ) from error.__cause__

    def _whole(self) -> Iterator[pl.DataFrame]:
        yield self._cut.known(pl.DataFrame(schema=self._schema))
        for batch in streamed(self._spec, self._table.table_uri, lambda: self._everything):
            yield self._cut.known(batch)

    def _scan(self, path: str) -> pl.LazyFrame:
        if self.reference is not None:
            self._check_as_read(path, pl.scan_parquet(path, glob=False).collect_schema())
        # A file that was written before a column was added has none: it is null there.
        values = self._found[path].values
        stored = {name: kind for name, kind in self._schema.items() if name not in values}
        frame = pl.scan_parquet(
            path,
            glob=False,
            hive_partitioning=False,
            schema=stored,
            missing_columns="insert",
            extra_columns="ignore",
            cast_options=_CASTS,
        )
        same = [pl.lit(value, dtype=self._schema[name]).alias(name) for name, value in values.items()]
        return frame.with_columns(same).select(self._schema.names())

    def _referred_to(self, needs: str) -> TableReference:
        partitioned = self._table.metadata().partition_columns
        if needs or partitioned:
            raise self._not_referred_to(needs or f"it is partitioned by {', '.join(partitioned)}")
        self._check_as_read("it", self._schema)
        return TableReference(
            uri=self._table.table_uri,
            version=self._table.version(),
            files=tuple(ReferencedFile(path=path, bytes=file.size) for path, file in self._found.items()),
        )

    def _check_as_read(self, what: str, held: pl.Schema) -> None:
        """Refuse what does not hold the columns that are read: who follows the reference reads the files alone."""
        read = self._cut.known(pl.DataFrame(schema=self._schema)).schema
        said = [f"no {name}" for name in read if name not in held]
        said += [f"{name} as {held[name]}, not {kind}" for name, kind in read.items() if held.get(name, kind) != kind]
        said += [f"{name} as well" for name in held if name not in read]
        if said or held.names() != read.names():
            raise self._not_referred_to(f"{what} has {', '.join(said) or 'its columns in another order'}")

    def _not_referred_to(self, found: str) -> Invalid:
        return Invalid(
            f"The table of the source {self._spec.name} can't be referred to",
            expected="one whose files hold its rows as they are read",
            found=found,
            way_out="Leave out copy=False: then its rows are copied.",
        )


_CASTS = pl.ScanCastOptions(integer_cast="upcast", float_cast="upcast", datetime_cast=["nanosecond-downcast"])


def _needs(table: "DeltaTable") -> str:
    """Say what its files need beside themselves to be read; empty for nothing."""
    if table.metadata().configuration.get(_RENAMED, "none") != "none":
        return "its columns have other names in its files"
    return "it has deletion vectors" if pl.DataFrame(table.deletion_vectors()).height else ""


def _files(table: "DeltaTable") -> dict[str, _File]:
    """Give the files by their paths, in the order in which they were written."""
    added = pl.DataFrame(table.get_add_actions(flatten=True)).sort("modification_time", "path")
    root = _plain(table.table_uri)
    partitions = [name for name in added.columns if name.startswith(_PARTITION)]
    # Both are percent-encoded, the path in the log once more than the file's name is.
    return {
        f"{root}{unquote(one['path'])}": _File(
            size=one["size_bytes"], values={name.removeprefix(_PARTITION): one[name] for name in partitions}
        )
        for one in added.select("path", "size_bytes", *partitions).iter_rows(named=True)
    }


def _plain(uri: str) -> str:
    """Give a URI of deltalake as what reads files takes it: a path, or a URL that is not encoded."""
    return url2pathname(urlsplit(uri).path) if urlsplit(uri).scheme == "file" else unquote(uri)


def open_table(spec: SourceSpec, folder: Path, cut: Cut, before: Mapping[str, Any]) -> DeltaRead:
    """Open the table of a source; its rows are not read yet.

    Raises:
        NotFound: there is no such table, or no such version any more.
        Invalid: it can't be referred to.
        Unavailable: it can't be reached, or the extra is not installed.
    """
    try:
        # An extra, and slow to import.
        from deltalake import DeltaTable  # noqa: PLC0415
        from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"The source {spec.name} is a Delta Lake table, and what reads these is not installed",
            expected="deltalake",
            found=str(error),
            way_out="pip install 'lockgate[delta]'",
        ) from error
    where, version = spec.reader.where, spec.reader.options.get("version")
    try:
        return DeltaRead(spec, DeltaTable(_uri(where, folder), version=version), cut, before)
    except TableNotFoundError as error:
        raise NotFound(
            f"The source {spec.name} finds no Delta Lake table",
            expected=f"a table at {where}",
            found="none",
            way_out="Paths are relative to the project folder; the environment says how to reach s3:// (AWS_...).",
        ) from error
    except OSError as error:
        raise Unavailable(
            f"The table of the source {spec.name} can't be reached",
            expected=f"an answer from {where}",
            found=_LAYER.sub(": ", str(error)).partition(": <")[0].strip(),
            way_out=REACHED_BY if urlsplit(where).scheme else "",
        ) from error
    except DeltaError as error:
        raise NotFound(
            f"The table of the source {spec.name} can't be opened",
            expected=f"a table at {where}" if version is None else f"version {version} of {where}",
            found=str(error).strip().partition("\n")[0],
            way_out="" if version is None else "Name a version that it has, and whose log and files are still there.",
        ) from error


def _uri(where: str, folder: Path) -> str:
    parts = urlsplit(where)
    if parts.scheme in {"s3", "s3a"}:
        return f"s3://{quote(where.partition('://')[2])}"
    return str((folder / (url2pathname(parts.path) if parts.scheme == "file" else where)).resolve())
