"""The command line: ``astrokin list | show | apply | remove | fit | simulate | demo``."""

from astrokin.cli.app import main

__all__ = ["main"]
