"""The report of the demo: one HTML file with its figures inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from astrokin.cli.trial import TOO_FAR, Trial
from astrokin.fit_output import html, html_row
from astrokin.provenance import versions

_MARK = "<!-- astrokin demo -->"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: 0.8rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 0.15rem 0.9rem 0.15rem 0; border-bottom: 1px solid #ddd; }
th { color: #555; font-weight: 600; }
img { max-width: 100%; }
.wrong { color: #a00; font-weight: 600; }
.note { color: #555; }
"""


def is_one(path: Any) -> bool:
    """Whether a file is a report of the demo, which the next one may replace."""
    place = Path(path)
    if not place.is_file():
        return False
    with open(place, "rb") as file:
        return _MARK.encode() in file.read(200)


def page(trials: list[Trial], skipped: dict[str, str], summary: str) -> str:
    """The whole page; it needs nothing else."""
    return "\n".join(_parts(trials, skipped, summary)) + "\n"


def _parts(trials: list[Trial], skipped: dict[str, str], summary: str) -> Iterator[str]:
    yield f'<!DOCTYPE html>\n{_MARK}\n<html lang="en"><head><meta charset="utf-8">'
    yield f"<title>astrokin demo</title><style>{_STYLE}</style></head><body>"
    yield "<h1>astrokin demo</h1>"
    yield (
        "<p>For every registered estimator: a simulated Gaia-like sample, sent through a chain of effects and "
        "back, fitted, and compared with the truth it was made from.</p>"
    )
    yield f"<p><strong>{escape(summary)}</strong></p>"
    yield from (f'<p class="note">Without {escape(k)}: {escape(v)}</p>' for k, v in skipped.items())
    for trial in trials:
        yield from _trial(trial)
    yield "<h2>Versions</h2><table>"
    yield from (html_row(pair) for pair in versions().items())
    yield "</table></body></html>"


def _trial(trial: Trial) -> Iterator[str]:
    yield f"<h2>{escape(trial.label)}</h2>"
    yield from (f'<p class="note">{escape(line)}</p>' for line in trial.way)
    if trial.changes:
        yield f"<details><summary>What each effect does (medians)</summary><table>{_changes(trial)}</table></details>"
    if trial.error:
        yield f'<p class="wrong">Failed: {escape(trial.error)}</p>'
        return
    head = html_row(("", "truth", "estimate", "pull"), "th")
    yield f"<table>{head}{''.join(_row(row) for row in trial.shown)}</table>"
    if len(trial.shown) < len(trial.rows):
        yield f'<p class="note">{escape(trial.hidden)}</p>'
    yield _figure(trial.fit)
    yield f"<details><summary>The whole fit ({trial.seconds:.2f} s)</summary>{html(trial.fit)}</details>"


def _row(row: Any) -> str:
    cells = html_row(row.cells())
    return cells.replace("<tr>", '<tr class="wrong">') if abs(row.pull) > TOO_FAR else cells


def _changes(trial: Trial) -> str:
    head = html_row(("effect", "on the sky", "parallax", "proper motion", "radial velocity"), "th")
    return head + "".join(map(html_row, trial.changes))


def _figure(fit: Any) -> str:
    picture = io.BytesIO()
    try:
        fit.plot().savefig(picture, format="png", dpi=110)
    except Exception as error:  # matplotlib is not there, or a plugin's drawing fails: said, and the report goes on
        return f'<p class="note">No figure: {escape(f"{type(error).__name__}: {error}")}</p>'
    code = base64.b64encode(picture.getvalue()).decode()
    return f'<p><img alt="the fit as a figure" src="data:image/png;base64,{code}"></p>'
