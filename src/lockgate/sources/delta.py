"""Reads a Delta Lake table at a version, which is recorded.

A later reading reads only the files that were added, as long as the table only grew: else it reads everything.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import polars as pl

from lockgate.kernel.errors import Failed, Invalid, NotFound, Unavailable
from lockgate.records.snapshot import ReferencedFile, TableReference
from lockgate.records.source import SourceSpec
from lockgate.sources.clocks import Cut
from lockgate.sources.files import BATCH, object_options

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["DeltaRead"]


class DeltaRead:
    """Rows of a table on their way into a snapshot; `state` is whole once the batches were taken.

    Args:
        spec: the source.
        folder: the project folder.
        cut: cuts off what was not known.
        before: the state of the reading before.

    Raises:
        NotFound: there is no such table, or no such version any more.
        Invalid: it can't be referred to.
        Unavailable: the extra is not installed.
    """

    def __init__(self, spec: SourceSpec, folder: Path, cut: Cut, before: Mapping[str, Any]) -> None:
        """Open the table; its rows are not read yet."""
        self._spec, self._cut = spec, cut
        self._table = _opened(spec, folder)
        self._files = sorted(self._table.file_uris())
        self.version = self._table.version()
        known = before.get("files") or []
        partitioned = bool(self._table.metadata().partition_columns)
        grew = bool(known) and not partitioned and set(known) <= set(self._files)
        self.reference = None
        if spec.reader.options.get("copy") is False:
            self.reference = self._referenced(partitioned=partitioned)
        self.whole = self.reference is not None or not grew
        self._new = self._files if self.whole else [path for path in self._files if path not in known]
        self.state: dict[str, Any] = {}

    def batches(self) -> Iterator[pl.DataFrame]:
        """Give the rows, batch by batch; one empty frame where there are none.

        Raises:
            Failed: files of that version can't be read.
        """
        storage = object_options() if urlsplit(self._table.table_uri).scheme in {"s3", "s3a"} else None
        everything = pl.scan_delta(self._table)
        rows = everything if self.whole else pl.scan_parquet(self._new, storage_options=storage) if self._new else None
        empty = True
        try:
            if rows is not None:
                for batch in rows.collect_batches(chunk_size=BATCH, maintain_order=True):
                    empty = empty and not batch.height
                    yield self._cut.known(batch)
            if empty:
                yield self._cut.known(everything.head(0).collect())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise Failed(
                f"Version {self.version} of the table of the source {self._spec.name} can't be read",
                expected=f"{len(self._files)} files",
                found=str(error).partition("\n")[0],
                way_out="Its owner may have vacuumed it; name a version that is still whole.",
            ) from error
        # Rows that were not known yet are read again.
        read = [] if self._cut.held_back else self._files
        self.state = {"version": self.version, "files": read}

    def _referenced(self, *, partitioned: bool) -> TableReference:
        if partitioned:
            raise Invalid(
                f"The table of the source {self._spec.name} is partitioned, and can't be referred to",
                expected="a table whose files hold all columns",
                found=", ".join(self._table.metadata().partition_columns),
                way_out="Leave copy=False out: its rows are then copied.",
            )
        actions = pl.DataFrame(self._table.get_add_actions(flatten=True))
        sizes = dict(zip(actions["path"], actions["size_bytes"], strict=True))
        named = {path: next(size for name, size in sizes.items() if path.endswith(name)) for path in self._files}
        return TableReference(
            uri=self._table.table_uri,
            version=self.version,
            files=tuple(ReferencedFile(path=path, bytes=int(size)) for path, size in named.items()),
        )


def _opened(spec: SourceSpec, folder: Path) -> "DeltaTable":
    try:
        # Heavy, and an extra.
        from deltalake import DeltaTable  # noqa: PLC0415
        from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise Unavailable(
            f"The source {spec.name} is a Delta Lake table, which needs an extra",
            expected="lockgate[delta]",
            found=str(error),
            way_out="pip install 'lockgate[delta]'",
        ) from error
    where, version = spec.reader.where, spec.reader.options.get("version")
    remote = urlsplit(where).scheme in {"s3", "s3a"}
    uri = where if remote else str((folder / where.removeprefix("file://")).resolve())
    try:
        return DeltaTable(uri, version=version, storage_options=object_options() if remote else None)
    except TableNotFoundError as error:
        msg = f"The source {spec.name} finds no Delta Lake table"
        hint = "Paths are relative to the project folder; credentials for s3:// come from the environment (AWS_*)."
        raise NotFound(msg, expected=f"a table at {where}", found="none", way_out=hint) from error
    except (DeltaError, OSError) as error:
        raise NotFound(
            f"The table of the source {spec.name} can't be opened",
            expected=f"version {version} of {where}" if version is not None else f"a table at {where}",
            found=str(error).partition("\n")[0],
            way_out="Name a version that it has, and still holds the files of.",
        ) from error
