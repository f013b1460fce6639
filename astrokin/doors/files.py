"""Tables from and to files, and outputs that are whole or not there at all."""

from __future__ import annotations

import csv
import gzip
import os
import secrets
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from astrokin.doors.holding import cannot_hold, holdable
from astrokin.doors.text import read_text
from astrokin.errors import AstrokinError, FileError, closest_first
from astrokin.optional import require


def read_table(path: Any) -> Any:
    """Read a file as an astropy or (Parquet) arrow table, by its extension.

    Raises
    ------
    FileError
        No such file, a directory, an unknown extension, a truncated file, or one that holds no such table.
    """
    path = existing_file(path)
    reader = _READERS[extension(path)]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*may have been truncated")
            return reader(path)
    except AstrokinError:
        raise
    except Exception as error:  # every reader has its own ways to fail on a broken file
        kind = _KINDS[extension(path)]
        raise FileError(
            f"{path} cannot be read as {kind}; is it truncated, or no {kind} table? ({_first(error)})"
        ) from error


def _first(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0] if text else 'no further message'}"


def named(path: Any) -> Path:
    """The path that a user gives, as one; anything else is an error that says so."""
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str) or "\0" in text:
        what = f"a {type(path).__name__}" if text is None or isinstance(text, bytes) else repr(path)
        raise FileError(f"The name of a file is needed, as text or as a pathlib.Path, not {what}.")
    return Path(text).expanduser()


def existing_file(path: Any) -> Path:
    """The path of a file that can be read, or the reason why not."""
    place = named(path)
    if place.is_dir():
        raise FileError(f"{place} is a directory; the name of a file is needed.")
    if not place.exists():
        near = closest_first(place.name, sorted(p.name for p in place.parent.glob("*") if p.is_file()))[:3]
        hint = f" That directory has, closest first: {', '.join(near)}." if near else ""
        raise FileError(f"There is no file {place}.{hint}")
    return place


def extension(path: Path) -> str:
    """The known extension of a file, ``.gz`` included, or an error that lists what is known."""
    name = path.name.lower()
    for known in sorted(_READERS, key=len, reverse=True):
        if name.endswith(known):
            return known
    raise FileError(f"{path} has no extension that astrokin knows: {', '.join(_READERS)}.")


# ---- readers ---------------------------------------------------------------------------------------------


def _read_fits(path: Path) -> Any:
    from astropy.table import Table

    table = Table.read(path, format="fits", memmap=False)
    table.convert_bytestring_to_unicode()
    return table


def _read_votable(path: Path) -> Any:
    from astropy.io.votable import parse_single_table

    return parse_single_table(str(path), verify="ignore").to_table(use_names_over_ids=True)


def _read_parquet(path: Path) -> Any:
    from astrokin.doors.arrow import arrow_units

    parquet = require("pyarrow.parquet", "parquet", "Reading Parquet")
    arrow_units(parquet.read_schema(path))  # says which columns are there twice
    return parquet.read_table(path)


# ---- writers ---------------------------------------------------------------------------------------------


def write_table(table: Any, path: Any, overwrite: bool = False) -> None:
    """Write an astropy table by the file's extension; the target appears when it is whole, or not at all.

    Raises
    ------
    FileError
        The file is there and `overwrite` is false, it cannot be written, or its format cannot hold a column.
    """
    target = named(path)
    writer, kind = _WRITERS[extension(target)], _KINDS[extension(target)]
    with atomic_output(target, overwrite) as unfinished:
        whole = holdable(_with_empty_gaps(table), kind)
        try:
            writer(whole, unfinished)
        except (AstrokinError, OSError, MemoryError):
            raise
        except Exception as error:  # every writer has its own ways to say what it cannot hold
            raise cannot_hold(kind, _culprit(whole, writer, unfinished), _first(error)) from error


def _culprit(table: Any, writer: Callable[[Any, Path], None], path: Path) -> str:
    """The first column that cannot be written by itself."""
    for name in table.colnames:
        try:
            writer(table[[name]], path)
        except Exception:  # as above
            return name
    return ", ".join(table.colnames)


def _with_empty_gaps(table: Any) -> Any:
    """Nothing under the mask of masked text: formats that have no mask for it write what is there."""
    texts = {name: table[name] for name in table.colnames if getattr(table[name], "dtype", None) is not None}
    masked = {k: v for k, v in texts.items() if v.dtype.kind == "U" and np.ma.isMaskedArray(v)}
    out = table.copy(copy_data=False) if masked else table
    for name, column in masked.items():
        out[name] = type(column)(column.filled(""), mask=column.mask, copy=False)
    return out


@contextmanager
def atomic_output(path: Any, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; it takes the name `path` at the end, if all went well.

    Whatever goes wrong, an interrupt included, the temporary file is removed and an old file stays as it was.

    Parameters
    ----------
    path : path-like
        Where the result goes.
    overwrite : bool, optional
        Whether a file that is there may be replaced.

    Yields
    ------
    Path
        An empty file, in the same directory and with the same extension.

    Raises
    ------
    FileError
        The file is there and `overwrite` is false, the directory is not there or cannot be written to, or the
        disk is full.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from astrokin.tables import atomic_output
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = pathlib.Path(folder, "result.txt")
    ...     with atomic_output(target) as unfinished:
    ...         _ = unfinished.write_text("done")
    ...     target.read_text()
    'done'
    """
    target = writable(path, overwrite)
    unfinished = target.with_name(f".{secrets.token_hex(4)}-{target.name}")
    try:
        unfinished.touch(exist_ok=False)
        yield unfinished
        os.replace(unfinished, target)
    except OSError as error:
        if isinstance(error, AstrokinError):
            raise
        raise FileError(f"{target} cannot be written: {error.strerror or error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def writable(path: Any, overwrite: bool = False) -> Path:
    """The full path of a file that may be written, or a `FileError` that says why not."""
    target = Path(os.path.realpath(named(path)))
    if target.exists() and not target.is_file():
        raise FileError(f"{target} is no ordinary file; give the name of a file to write.")
    if target.exists() and not overwrite:
        raise FileError(f"{target} is already there; overwrite=True (--overwrite) replaces it.")
    if not target.parent.is_dir():
        raise FileError(f"{target.parent} is no directory; make it first, or write elsewhere.")
    if not os.access(target.parent, os.W_OK):
        raise FileError(f"{target.parent} gives no permission to write; write elsewhere.")
    return target


def _write_ecsv(table: Any, path: Path) -> None:
    with _text_output(path) as file:
        table.write(file, format="ascii.ecsv")


def _write_csv(table: Any, path: Path) -> None:
    # The csv module on lists of Python numbers is ten times as fast as astropy's writer, and as exact.
    values = [getattr(column, "value", column).tolist() for column in table.itercols()]
    with _text_output(path) as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(table.colnames)
        lines.writerows(zip(*values, strict=True))


def _text_output(path: Path) -> Any:
    return gzip.open(path, "wt", compresslevel=6) if path.name.lower().endswith(".gz") else open(path, "w")


def _write_votable(table: Any, path: Path) -> None:
    from astropy.io.votable import from_table

    document = from_table(table)
    for field, column in zip(document.get_first_table().fields, table.itercols(), strict=True):
        if column.dtype.kind == "i" and np.ma.isMaskedArray(column):
            field.values.null = np.iinfo(column.dtype).min
    document.to_xml(str(path), tabledata_format="binary2")


def _write_fits(table: Any, path: Path) -> None:
    if notes := table.meta.get("astrokin"):  # a header holds no dictionary
        table = table.copy(copy_data=False)
        del table.meta["astrokin"]
        told = [f"astrokin: {rows} rows {kind}: {why}" for kind, by in notes.items() for why, rows in by.items()]
        before = table.meta.get("HISTORY", [])
        table.meta["HISTORY"] = [*([before] if isinstance(before, str) else before), *map(_ascii, told)]
    table.write(path, format="fits", overwrite=True)


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()


def _write_parquet(table: Any, path: Path) -> None:
    from astrokin.doors.arrow import arrow_of

    require("pyarrow.parquet", "parquet", "Writing Parquet").write_table(arrow_of(table), path)


_READERS: dict[str, Callable[[Path], Any]] = {
    ".parquet": _read_parquet,
    ".fits": _read_fits,
    ".fits.gz": _read_fits,
    ".fit": _read_fits,
    ".ecsv": read_text,
    ".ecsv.gz": read_text,
    ".vot": _read_votable,
    ".vot.gz": _read_votable,
    ".votable": _read_votable,
    ".xml": _read_votable,
    ".csv": read_text,
    ".csv.gz": read_text,
    ".pq": _read_parquet,
}
_WRITERS: dict[str, Callable[[Any, Path], None]] = {
    **dict.fromkeys((".parquet", ".pq"), _write_parquet),
    **dict.fromkeys((".fits", ".fits.gz", ".fit"), _write_fits),
    **dict.fromkeys((".ecsv", ".ecsv.gz"), _write_ecsv),
    **dict.fromkeys((".vot", ".vot.gz", ".votable", ".xml"), _write_votable),
    **dict.fromkeys((".csv", ".csv.gz"), _write_csv),
}
_NAMES = {
    ".parquet": "Parquet",
    ".pq": "Parquet",
    ".fit": "FITS",
    ".ecsv": "ECSV",
    ".csv": "CSV",
    ".vot": "VOTable",
    ".xml": "VOTable",
}
_KINDS = {known: next(v for k, v in _NAMES.items() if known.startswith(k)) for known in _READERS}
