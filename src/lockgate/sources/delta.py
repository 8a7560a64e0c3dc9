"""Reads a Delta Lake table at a version, which is recorded.

- A later reading reads only the files that were added, as long as the table only grew. One that is partitioned, or
  whose files need more than themselves to be read (deletion vectors, renamed columns), is read whole.
- Files are read in the order in which they were written: what was told last counts.
- A table can be referred to instead of copied, if its files hold all there is to read.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import polars as pl

from lockgate.kernel.errors import Failed, Invalid, NotFound, Unavailable
from lockgate.records.snapshot import ReferencedFile, TableReference
from lockgate.records.source import SourceSpec
from lockgate.sources.clocks import Cut
from lockgate.sources.files import FilesRead, streamed

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["DeltaRead", "open_table"]

_RENAMED = "delta.columnMapping.mode"


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
        needs = _needs(table)
        sizes = {} if needs else _sizes(table)
        self.reference: TableReference | None = None
        if spec.reader.options.get("copy") is False:
            self.reference, before = self._referred_to(sizes, needs), {}
        stamps = {path: str(size) for path, size in sizes.items()}
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
        yield self._cut.known(pl.DataFrame(schema=self._everything.collect_schema()))
        for batch in streamed(self._spec, self._table.table_uri, lambda: self._everything):
            yield self._cut.known(batch)

    def _scan(self, path: str) -> pl.LazyFrame:
        # A file that was written before a column was added has none: it is null there.
        schema = self._everything.collect_schema()
        return pl.scan_parquet(
            path,
            glob=False,
            hive_partitioning=False,
            schema=schema,
            missing_columns="insert",
            extra_columns="ignore",
            cast_options=_CASTS,
        )

    def _referred_to(self, sizes: Mapping[str, int], needs: str) -> TableReference:
        if needs:
            raise Invalid(
                f"The table of the source {self._spec.name} can't be referred to",
                expected="one whose files hold all columns and no other rows",
                found=needs,
                way_out="Leave out copy=False: then its rows are copied.",
            )
        return TableReference(
            uri=self._table.table_uri,
            version=self._table.version(),
            files=tuple(ReferencedFile(path=path, bytes=size) for path, size in sizes.items()),
        )


_CASTS = pl.ScanCastOptions(integer_cast="upcast", float_cast="upcast", datetime_cast=["nanosecond-downcast"])


def _needs(table: "DeltaTable") -> str:
    """Say what its files need beside themselves to be read; empty for nothing."""
    described = table.metadata()
    if described.partition_columns:
        return f"it is partitioned by {', '.join(described.partition_columns)}"
    if described.configuration.get(_RENAMED, "none") != "none":
        return "its columns have other names in its files"
    return "it has deletion vectors" if pl.DataFrame(table.deletion_vectors()).height else ""


def _sizes(table: "DeltaTable") -> dict[str, int]:
    """Give the files with their sizes, in the order in which they were written."""
    added = pl.DataFrame(table.get_add_actions(flatten=True)).sort("modification_time", "path")
    uris = {uri.rpartition("/")[2]: uri for uri in table.file_uris()}
    told = zip(added["path"].to_list(), added["size_bytes"].to_list(), strict=True)
    return {uris[path.rpartition("/")[2]]: int(size) for path, size in told}


def open_table(spec: SourceSpec, folder: Path, cut: Cut, before: Mapping[str, Any]) -> DeltaRead:
    """Open the table of a source; its rows are not read yet.

    Raises:
        NotFound: there is no such table, or no such version any more.
        Invalid: it can't be referred to.
        Unavailable: the extra is not installed.
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
    except (DeltaError, OSError) as error:
        raise NotFound(
            f"The table of the source {spec.name} can't be opened",
            expected=f"a table at {where}" if version is None else f"version {version} of {where}",
            found=str(error).strip().partition("\n")[0],
            way_out="" if version is None else "Name a version that it has, and whose log and files are still there.",
        ) from error


def _uri(where: str, folder: Path) -> str:
    parts = urlsplit(where)
    if parts.scheme in {"s3", "s3a"}:
        return f"s3://{where.partition('://')[2]}"
    return str((folder / (url2pathname(parts.path) if parts.scheme == "file" else where)).resolve())
