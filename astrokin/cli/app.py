"""The command ``astrokin``: its subcommands, and what it says and returns when something goes wrong."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from astrokin import __version__
from astrokin.cli import data, demo, shown
from astrokin.cli.settings import spoken
from astrokin.errors import AstrokinError, AstrokinWarning
from astrokin.times import without_note_on_future

#: Exit status: something went wrong inside, what was asked is wrong, and an interrupt (128 + SIGINT).
BROKEN, WRONG, INTERRUPTED = 1, 2, 130
#: What to set to see where an internal error comes from.
TRACEBACK = "ASTROKIN_TRACEBACK"
_HELP_ITSELF = getattr(click.exceptions, "NoArgsIsHelpError", ())  # click 8.2 and newer


class App(click.Group):
    """A group of commands in which every error that astrokin raises on purpose is one line on standard error."""

    def main(  # type: ignore[override]  # one signature for click's two
        self, args: Any = None, prog_name: str | None = None, standalone_mode: bool = True, **more: Any
    ) -> Any:
        """Run the command line; exit with its status, or return it where `standalone_mode` is false."""

        def run() -> Any:
            return super(App, self).main(args, prog_name or "astrokin", standalone_mode=False, **more)

        with warnings.catch_warnings(), without_note_on_future():
            warnings.simplefilter("default", AstrokinWarning)
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            with _signals_that_clean_up():
                status = _status(run)
        if standalone_mode:
            sys.exit(status)
        return status


class _Ended(SystemExit):
    """A signal that ends the program, as an exception: what is half-written is removed on the way out."""


@contextmanager
def _signals_that_clean_up() -> Iterator[None]:
    """Turn a signal that would end the program at once into `_Ended`; one that is ignored (nohup) stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)  # one is enough; the next would end the cleaning up
        raise _Ended(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    old = {number: signal.getsignal(number) for number in numbers}
    mine = [number for number in numbers if old[number] == signal.SIG_DFL]
    for number in mine:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


def _status(run: Callable[[], Any]) -> int:
    try:
        outcome = run()
    except _Ended as ended:
        name = signal.Signals(int(ended.code or 0) - 128).name
        return _fail(f"ended by {name}; no file was left half-written.", int(ended.code or 0))
    except click.Abort:
        return _fail("interrupted; no file was left half-written.", INTERRUPTED)
    except click.ClickException as error:
        return _wrong_usage(error)
    except AstrokinError as error:
        return _fail(spoken(str(error)), WRONG)
    except Exception as error:  # a fault of astrokin or of a plugin: said in a line, shown in full on request
        if os.environ.get(TRACEBACK):
            raise
        told = f"{type(error).__name__}: {error}"
        return _fail(f"internal error: {told} (set {TRACEBACK}=1 to see where)", BROKEN)
    return outcome if isinstance(outcome, int) else 0


def _wrong_usage(error: click.ClickException) -> int:
    if isinstance(error, _HELP_ITSELF):
        error.show()
        return WRONG
    context = getattr(error, "ctx", None)
    hint = f" See: {context.command_path} --help" if context is not None else ""
    return _fail(f"{error.format_message()}{hint}", WRONG)


def _fail(message: str, status: int) -> int:
    click.echo(f"astrokin: {_one_line(message)}", err=True)
    return status


def _show_warning(message: Any, category: type[Warning], filename: str, lineno: int, *_: Any) -> None:
    kind = "" if issubclass(category, AstrokinWarning) else f"{category.__name__}: "
    click.echo(f"astrokin: warning: {kind}{_one_line(str(message))}", err=True)


def _one_line(text: str) -> str:
    return " ".join(text.split())


@click.group(cls=App, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="astrokin")
def main() -> None:
    """Stellar kinematics from astrometry.

    Effects map stars to stars; estimators turn a sample of stars into results with errors. Files are FITS, ECSV,
    VOTable, CSV or Parquet, by their extension.
    """


for _command in (shown.listed, shown.show, data.apply, data.remove, data.fit, data.simulate, demo.demo):
    main.add_command(_command)
