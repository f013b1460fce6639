"""A bar on a terminal that asked for one, and nothing anywhere else."""

import sys

import pytest

from astrokin.errors import MissingDependencyError
from astrokin.optional import require
from astrokin.progress import progress


@pytest.mark.parametrize(("terminal", "show"), [(True, False), (False, True), (False, False)])
def test_silent_unless_asked_on_a_terminal(terminal, show, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    assert list(progress(iter("abc"), 3, "letters", show)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("size", "shown"), [(None, "3.00/3.00"), (len, "6.00/6.00")])
def test_a_bar_counts_items_or_rows(size, shown, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    items = ["ab", "c", "def"]
    assert list(progress(items, 6 if size else 3, "reading", True, size)) == items
    told = capsys.readouterr().err
    assert "reading: 100%" in told
    assert shown in told


def test_what_is_not_installed_is_named_with_its_extra():
    assert require("json", "x", "JSON").__name__ == "json"
    with pytest.raises(
        MissingDependencyError, match=r'Flying needs antigravy .*: pip install "astrokin\[wings\]"'
    ) as caught:
        require("antigravy.core", "wings", "Flying")
    assert caught.value.name == "antigravy"
