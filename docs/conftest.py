"""The examples write files: each page has a directory of its own, and figures that are gone afterwards."""

import sys
from pathlib import Path

import pytest

# The how-to's plugin, as if it were installed.
sys.path.insert(0, str(Path(__file__).parent / "howto" / "astrokin-cluster"))


@pytest.fixture(autouse=True)
def _own_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    import matplotlib.pyplot as plt

    plt.close("all")
