"""Parquet files larger than memory: rows streamed in blocks, folded or mapped into another file.

Only the columns that are needed are decoded; those that a map does not touch are passed on as they are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astrokin.doors.arrow import ArrowKind, arrow_units, written_notes
from astrokin.doors.conversion import added_names, stars_from
from astrokin.doors.files import atomic_output, existing_file
from astrokin.doors.names import Schema, resolve
from astrokin.errors import DroppedWarning, FileError
from astrokin.optional import require
from astrokin.progress import progress as shown
from astrokin.stars import Stars
from astrokin.tables import TableDoor, notes_of

#: Rows in a block: large enough that pyarrow's cost per batch is small, small enough for the cache.
BLOCK = 1 << 16
#: Rows in a row group of a file written.
GROUP = 1 << 18
#: Bytes that are read ahead per column; without it whole column chunks would be held.
_BUFFER = 1 << 18
_KIND = ArrowKind()

Step = Callable[[Stars], tuple[Stars, frozenset[str]]]


@dataclass(frozen=True)
class ParquetSource:
    """The stars of a Parquet file, block by block, as often as one likes.

    Parameters
    ----------
    path : path-like
        The file.
    names : mapping of str to str, optional
        Own column names by astrokin's (see `astrokin.tables.stars_of`).
    needs : collection of str, optional
        Which of parallax, proper_motion, radial_velocity and covariance are wanted; all of them if not given.
        Position and epoch always are.
    columns : sequence of str, optional
        Which extra columns are wanted; None for all of them.

    Raises
    ------
    FileError
        No such file, or no Parquet.
    MissingDependencyError
        pyarrow is not installed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> from astrokin.engines.parquet import ParquetSource
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "three.parquet")
    ...     ak.Stars(ra=[1, 2, 3] * u.deg, dec=[0, 0, 0] * u.deg).write(path)
    ...     source = ParquetSource(path)
    ...     len(source), [len(stars) for stars in source.blocks(2)]
    (3, [2, 1])
    """

    path: Any
    names: Any = None
    needs: Iterable[str] | None = None
    columns: Sequence[str] | None = ()
    schema: Schema = field(init=False, repr=False)
    rows: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        schema = schema_of(self.path, self.names)
        with opened(self.path) as file:
            rows = file.metadata.num_rows
        needs = None if self.needs is None else frozenset(self.needs)
        wanted = schema.wanted(needs, self.columns)  # says at once which column is missing
        assert wanted
        for name, value in (("needs", needs), ("schema", schema), ("rows", rows)):
            object.__setattr__(self, name, value)

    def __len__(self) -> int:
        return self.rows

    def blocks(self, size: int = BLOCK) -> Iterator[Stars]:
        """The stars in blocks of at most `size` rows; one empty block where there are no rows."""
        for batch in batches(self.path, size, self.schema.wanted(self.needs, self.columns)):  # type: ignore[arg-type]
            yield stars_from(_KIND, batch, self.schema, self.needs, self.columns)  # type: ignore[arg-type]


@dataclass(frozen=True)
class ParquetRows:
    """The rows of a Parquet file of any kind, as a source of blocks.

    Parameters
    ----------
    path : path-like
    make : callable
        Makes rows of a record batch.
    """

    path: Any
    make: Callable[[Any], Any]

    def __len__(self) -> int:
        with opened(self.path) as file:
            return int(file.metadata.num_rows)

    def blocks(self, size: int = BLOCK) -> Iterator[Any]:
        """The rows in blocks of at most `size`; one empty block where there are none."""
        for batch in batches(self.path, size):
            yield self.make(batch)


def schema_of(path: Any, names: Any = None) -> Schema:
    """What the columns of a Parquet file mean."""
    with opened(path) as file:
        return resolve(arrow_units(file.schema_arrow), names)


def opened(path: Any) -> Any:
    """A Parquet file opened for streaming: nothing is read ahead beyond a small buffer per column."""
    parquet = require("pyarrow.parquet", "parquet", "Reading Parquet")
    place = existing_file(path)
    try:
        return parquet.ParquetFile(place, pre_buffer=False, buffer_size=_BUFFER, memory_map=False)
    except (OSError, ValueError) as error:
        raise _broken(place, error) from error


def _broken(path: Path, error: Exception) -> FileError:
    return FileError(f"{path} cannot be read as Parquet; is it truncated, or no Parquet file? ({error})")


def batches(path: Any, size: int = BLOCK, columns: Sequence[str] | None = None) -> Iterator[Any]:
    """Record batches of at most `size` rows; an empty one where the file has no rows."""
    with opened(path) as file:
        empty = True
        # The small buffer keeps threads cheap: two of them cost some 30 MiB more than one.
        stream = file.iter_batches(size, columns=None if columns is None else list(columns), use_threads=True)
        try:
            for batch in stream:
                empty = False
                yield batch
        except (OSError, ValueError) as error:
            raise _broken(Path(path), error) from error
        if empty:
            yield _no_rows(file, columns)


def _no_rows(file: Any, columns: Sequence[str] | None) -> Any:
    table = file.schema_arrow.empty_table()
    return table if columns is None else table.select(list(columns))


def map_file(
    function: Step,
    source: Any,
    target: Any,
    names: Any = None,
    overwrite: bool = False,
    progress: bool = False,
    block: int = BLOCK,
    columns: Sequence[str] | None = None,
    label: str = "",
) -> dict[str, dict[str, int]]:
    """Apply a function to the stars of a Parquet file, block by block, and write another such file.

    All columns are carried over; those that change are written anew, as float64. A column that the source
    does not have is added where the first block has a finite value for it. The target appears when it is
    whole, or not at all.

    Parameters
    ----------
    function : callable
        Takes `Stars`, returns the new `Stars` and the fields that changed (see `astrokin.tables.door`).
    source, target : path-like
        The files; they may be the same one with `overwrite`.
    names : mapping of str to str, optional
        Own column names by astrokin's.
    overwrite : bool, optional
        Whether `target` may be replaced.
    progress : bool, optional
        Whether to show a progress bar where there is a terminal.
    block : int, optional
        Rows in a block.
    columns : sequence of str, optional
        The extra columns that the function looks at; all of them if not given.
    label : str, optional
        What the progress bar says.

    Returns
    -------
    dict
        How many rows were refused and flagged, by reason; also in the target's metadata.
    """
    with opened(source) as file:
        writing = _Map(function, resolve(arrow_units(file.schema_arrow), names), columns)
        total, codec = file.metadata.num_rows, _codec(file.metadata)
    with atomic_output(target, overwrite) as unfinished:
        stream = shown(batches(source, block), total, label, progress, size=len)
        _write(map(writing, stream), unfinished, codec, writing.notes)
    return writing.notes


class _Map:
    """The function on one batch after another; which columns are added is settled by the first."""

    def __init__(self, function: Step, schema: Schema, columns: Sequence[str] | None) -> None:
        self.function, self.schema, self.columns = function, schema, columns
        self.added: frozenset[str] | None = None
        self.notes: dict[str, dict[str, int]] = {}
        self.made: Any = None
        self.warned = False

    def __call__(self, batch: Any) -> Any:
        import pyarrow as pa

        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        door = TableDoor(table, _KIND, self.schema, stars_from(_KIND, table, self.schema, columns=self.columns))
        stars, changed = self.function(door.stars)
        self._settle(added_names(stars, self.schema, changed))
        add_notes(self.notes, notes_of(stars))
        out = door.back(stars.without_notes(), changed, self.added)
        self.made = self.made or out.schema
        return out if out.schema == self.made else _aligned(out, self.made)

    def _settle(self, new: frozenset[str]) -> None:
        if self.added is None:
            self.added = new
        elif new - self.added and not self.warned:
            self.warned = True
            lost = ", ".join(sorted(new - self.added))
            warnings.warn(f"{lost}: {_LATE}", DroppedWarning, stacklevel=2)


_LATE = "values are dropped, as the file has no such column and the first block had none to add one for."


def add_notes(total: dict[str, dict[str, int]], more: dict[str, dict[str, int]]) -> None:
    """Add the counts of one block to those of the blocks before, in place."""
    for kind, counts in more.items():
        mine = total.setdefault(kind, {})
        for reason, n in counts.items():
            mine[reason] = mine.get(reason, 0) + n


def _aligned(table: Any, schema: Any) -> Any:
    # A block in which less changed than in the first: its columns still get the types settled there.
    import pyarrow as pa

    n = len(table)
    arrays = [table[f.name] if f.name in table.schema.names else pa.nulls(n, f.type) for f in schema]
    return pa.table([a.cast(f.type, safe=False) for a, f in zip(arrays, schema, strict=True)], schema=schema)


def _codec(metadata: Any) -> str:
    if not (metadata.num_row_groups and metadata.num_columns):
        return "snappy"
    name = metadata.row_group(0).column(0).compression
    return "none" if name == "UNCOMPRESSED" else name.lower()


def _write(tables: Iterator[Any], path: Path, codec: str, notes: dict[str, dict[str, int]]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    first = next(tables)
    texts = [f.name for f in first.schema if not (pa.types.is_floating(f.type) or pa.types.is_integer(f.type))]
    with parquet.ParquetWriter(path, first.schema, compression=codec, use_dictionary=texts) as writer:
        for group in _groups(first, tables):
            writer.write_table(pa.concat_tables(group), row_group_size=GROUP)
        if notes and hasattr(writer, "add_key_value_metadata"):  # pyarrow 16 writes metadata at the start only
            writer.add_key_value_metadata(written_notes(notes))


def _groups(first: Any, tables: Iterator[Any]) -> Iterator[list[Any]]:
    """Blocks gathered until they fill a row group."""
    group = [first]
    for table in tables:
        if sum(map(len, group)) >= GROUP:
            yield group
            group = []
        group.append(table)
    yield group
