"""Tables in text, CSV and ECSV: whole rows only, and what is wrong is named by its line."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from astrokin.errors import FileError, some_rows

#: Empty fields, and the word that Gaia's own files use: both missing.
_EMPTY, _NULL = ("", "0"), ("null", "0")


def read_text(path: Path) -> Any:
    """A CSV or ECSV file, also compressed by gzip, as an astropy table.

    Raises
    ------
    FileError
        An empty file, or rows that do not have as many fields as the header has names.
    """
    from astropy.io import ascii as text_tables

    text = _text_of(path)
    if not text.strip():
        raise FileError(f"{path} is empty: there is not even a header.")
    # Gaia's archive writes ECSV into files that are called .csv
    form = "ecsv" if text.startswith("# %ECSV") else "csv"
    if form == "csv":
        _check_fields(text, path)
    # Text without the end of a line would be taken as the name of a file.
    return text_tables.read(text + "\n", format=form, guess=False, fill_values=_missing(text, form))


def _text_of(path: Path) -> str:
    name = path.name.lower()
    with (
        gzip.open(path, "rt", encoding="utf-8-sig")
        if name.endswith(".gz")
        else open(path, encoding="utf-8-sig") as file
    ):
        return file.read()


def _missing(text: str, form: str) -> list[tuple[str, str]]:
    # Gaia's ECSV has commas and writes "null"; that of astropy has blanks, and "null" there is a word.
    header = text[: 1 << 12].split("datatype:", 1)[0]
    return [_EMPTY] if form == "ecsv" and "delimiter: ','" not in header else [_EMPTY, _NULL]


def _check_fields(text: str, path: Path) -> None:
    """Short rows are what a file that was cut off ends in; the readers would fill them with missing values."""
    counted = _counts(text)
    _, wanted = next(counted)
    bad = [(line, n) for line, n in counted if n != wanted]
    if bad:
        lines = some_rows(line for line, _ in bad).replace("row", "line", 1)
        raise FileError(
            f"{path} cannot be read as CSV; is it truncated? The header has {wanted} names, but {lines} "
            f"{'has' if len(bad) == 1 else 'have'} {_numbers(n for _, n in bad)} fields."
        )


def _numbers(found: Any) -> str:
    return " or ".join(map(str, sorted(set(found))[:3]))


def _counts(text: str) -> Iterator[tuple[int, int]]:
    """The number of every line that is not blank (the last one of a row), and its fields."""
    if '"' not in text:  # ten times as fast
        yield from ((i, line.count(",") + 1) for i, line in enumerate(text.split("\n"), 1) if line.strip())
        return
    rows = csv.reader(text.splitlines(keepends=True), skipinitialspace=True)
    yield from ((rows.line_num, len(row)) for row in rows if any(row) or len(row) > 1)
