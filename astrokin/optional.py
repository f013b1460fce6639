"""Packages that astrokin uses when they are there: one place that says what to install when they are not."""

from __future__ import annotations

import importlib
from types import ModuleType

from astrokin.errors import MissingDependencyError


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import an optional package, or say which extra brings it.

    Parameters
    ----------
    module : str
        What to import, such as ``"pyarrow.parquet"``.
    extra : str
        The extra of astrokin that installs it.
    purpose : str
        What it is needed for, for the error message.

    Examples
    --------
    >>> from astrokin.optional import require
    >>> require("json", "parquet", "reading JSON").__name__
    'json'
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingDependencyError(
            f'{purpose} needs {package} ({error}): pip install "astrokin[{extra}]"', name=package
        ) from error
