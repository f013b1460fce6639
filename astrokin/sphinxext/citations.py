"""References as a reader wants them: BibTeX entries as reStructuredText."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from astrokin.references import bibtex

_FIELD = re.compile(r"^\s*(\w+)\s*=\s*[{\"](.*?)[}\"],?\s*$", re.MULTILINE | re.DOTALL)
_ACCENTS = {'"': "\u0308", "'": "\u0301", "`": "\u0300", "^": "\u0302", "~": "\u0303", "c": "\u0327"}
_BIBCODE = re.compile(r"\d{4}\S{15}")
_ABSTRACT = "https://ui.adsabs.harvard.edu/abs/"


def listed(keys: Iterable[str]) -> list[str]:
    """Some references as the lines of a bullet list in reStructuredText.

    Examples
    --------
    >>> from astrokin.sphinxext.citations import listed
    >>> print(listed(["2003ApJ...599..275O"])[0])
    * Olling, R. P. & Dehnen, W. 2003, *The Oort Constants Measured from Proper Motions*, The Astrophysical
      Journal, 599, 275–296. `doi:10.1086/379278 <https://doi.org/10.1086/379278>`__
    """
    return ["* " + _entry(key) for key in dict.fromkeys(keys)]


def _entry(key: str) -> str:
    text = bibtex([key])
    if text.startswith("%"):  # the package has no entry
        return f"`{key} <{_ABSTRACT}{key}>`__" if _BIBCODE.fullmatch(key) else key
    fields = {name.lower(): _plain(value) for name, value in _FIELD.findall(text.partition(",")[2])}
    return _formatted(key, fields)


def _formatted(key: str, fields: dict[str, str]) -> str:
    who = " ".join(filter(None, [_authors(fields.get("author", "")), fields.get("year", "")]))
    place = [fields.get(name, "") for name in ("journal", "series", "volume", "pages")]
    parts = [who, f"*{fields['title']}*", *place, fields.get("note", "")]
    return f"{', '.join(filter(None, parts))}. {_link(key, fields)}".strip()


def _authors(text: str) -> str:
    names = [_short(name) for name in text.split(" and ") if name]
    return " & ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)


def _short(name: str) -> str:
    family, comma, given = name.partition(", ")
    initials = [word if word.endswith(".") else f"{word[0]}." for word in given.split()]
    return f"{family}{comma}{' '.join(initials)}"


def _link(key: str, fields: dict[str, str]) -> str:
    if "doi" in fields:
        return f"`doi:{fields['doi']} <https://doi.org/{fields['doi']}>`__"
    return f"`{key} <{_ABSTRACT}{key}>`__" if _BIBCODE.fullmatch(key) else ""


def _plain(text: str) -> str:
    """BibTeX's own notation as Unicode: accents, braces, quotes, dashes."""
    text = re.sub(r"\\([\"'`^~c])\s*\{?(\w)\}?", lambda m: m[2] + _ACCENTS[m[1]], text)
    text = re.sub(r"[{}]", "", text).replace("``", "“").replace("''", "”").replace("--", "–")
    text = re.sub(r"(?<=\d)-(?=\d+$)", "–", text)
    return unicodedata.normalize("NFC", " ".join(text.split())).replace("*", r"\*")
