"""The package's references: BibTeX entries by key, which are the bibcodes of ADS."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from importlib import resources

#: What every use of the package rests on.
SOFTWARE = ("astrokin", "2013A&A...558A..33A", "2018AJ....156..123A", "2022ApJ...935..167A")
_START = re.compile(r"^@\w+\{([^,\s]+),", re.MULTILINE)
_BIBCODE_LENGTH = 19


@cache
def _entries() -> dict[str, str]:
    text = (resources.files("astrokin") / "references.bib").read_text(encoding="utf-8")
    starts = [*_START.finditer(text)]
    ends = [*(m.start() for m in starts[1:]), len(text)]
    return {m[1]: text[m.start() : end].strip() for m, end in zip(starts, ends, strict=True)}


def known() -> frozenset[str]:
    """The keys that have an entry.

    Examples
    --------
    >>> from astrokin import references
    >>> "2010MNRAS.403.1829S" in references.known()
    True
    """
    return frozenset(_entries())


def bibtex(keys: Iterable[str]) -> str:
    """BibTeX entries of some keys, each once.

    Parameters
    ----------
    keys : iterable of str
        Keys of the package's file, or bibcodes. One that is not known becomes a comment that says so: nothing
        is dropped silently.

    Examples
    --------
    >>> from astrokin import references
    >>> print(references.bibtex(["2003ApJ...599..275O"]))
    @article{2003ApJ...599..275O,
      author = {Olling, Rob P. and Dehnen, Walter},
      ...
    >>> print(references.bibtex(["private-notes"]))
    % private-notes: astrokin has no entry for this reference; please add it by hand.
    """
    entries = _entries()
    return "\n\n".join(entries.get(key) or _stub(key) for key in dict.fromkeys(keys))


def _stub(key: str) -> str:
    name = " ".join(str(key).split())
    where = (
        f" See https://ui.adsabs.harvard.edu/abs/{name}" if len(name) == _BIBCODE_LENGTH and name[:4].isdigit() else ""
    )
    return f"% {name}: astrokin has no entry for this reference; please add it by hand.{where}"
