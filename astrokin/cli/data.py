"""``astrokin apply | remove | fit | simulate``: from files to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from astrokin import fit_file, registry, verb_files
from astrokin.cli.settings import Command, made, names_option, overwrite_option, set_option
from astrokin.doors.files import existing_file, extension, writable
from astrokin.errors import FileError, InputError
from astrokin.optional import require
from astrokin.tables import atomic_output
from astrokin.verbs import Rules

_PICTURES = (".png", ".pdf", ".svg")


def _verb(name: str, summary: str) -> click.Command:
    @click.command(name, cls=Command, help=f"{summary} NAME is that of an effect (see: astrokin list).")
    @click.argument("name")
    @click.argument("source")
    @click.argument("target")
    @set_option
    @names_option
    @click.option(
        "--missing-rv",
        default="zero",
        show_default=True,
        metavar="zero|nan|error",
        help="What a missing radial velocity means.",
    )
    @click.option(
        "--refused",
        default="nan",
        show_default=True,
        metavar="nan|error",
        help="What becomes of rows outside the effect's domain.",
    )
    @overwrite_option
    def command(
        name: str, source: str, target: str, settings: dict[str, str], names: dict[str, str],
        missing_rv: str, refused: str, overwrite: bool,
    ) -> None:  # fmt: skip
        effect = made(registry.effect_class(name), settings)
        rules = Rules(missing_rv, refused, progress=True)
        verb = click.get_current_context().info_name or ""
        rows = verb_files.run(effect, verb, source, target, rules, names, overwrite)
        click.echo(f"{rows:,} rows written to {target}")

    return command


apply = _verb("apply", "Apply an effect to the sources of a file: from the truth to what is observed.")
remove = _verb("remove", "Remove an effect from the sources of a file: from what is observed to the truth.")


@click.command(cls=Command)
@click.argument("name")
@click.argument("source")
@set_option
@names_option
@click.option("--out", metavar="FILE.ecsv", help="Write the result; astrokin.Fit.read reads it.")
@click.option("--plot", metavar="FILE.png", help="Draw the result (png, pdf or svg).")
@overwrite_option
def fit(
    name: str, source: str, settings: dict[str, str], names: dict[str, str],
    out: str | None, plot: str | None, overwrite: bool,
) -> None:  # fmt: skip
    """Fit a sample, and print the result.

    NAME is that of an estimator (see: astrokin list). Besides its own parameters it takes the common ones, such
    as --set max_distance="1.7 kpc", --set by=population or --set by="age,0,5,10 Gyr".
    """
    estimator = made(registry.estimator_class(name), settings)
    existing_file(source)
    _check_outputs(out, plot, overwrite)  # before the work, not after it
    result = estimator.fit(source, names=names, progress=True)
    click.echo(str(result))
    if out is not None:
        result.write(out, overwrite=overwrite)
    if plot is not None:
        _draw(result, plot, overwrite)


def _check_outputs(out: str | None, plot: str | None, overwrite: bool) -> None:
    if out is not None:
        writable(fit_file.checked_name(out), overwrite)
    if plot is not None:
        writable(plot, overwrite)
        if Path(plot).suffix.lower() not in _PICTURES:
            raise FileError(f"{plot} cannot be drawn; let the name end in {', '.join(_PICTURES)}.")
        require("matplotlib", "plot", "Plotting")


def _draw(result: Any, plot: str, overwrite: bool) -> None:
    figure = result.plot()
    with atomic_output(plot, overwrite) as unfinished:
        figure.savefig(unfinished, dpi=150)


@click.command(cls=Command)
@click.argument("name")
@click.argument("n", type=click.IntRange(min=1))
@click.argument("target")
@set_option
@click.option("--seed", default=0, show_default=True, help="Of the random numbers.")
@overwrite_option
def simulate(name: str, n: int, target: str, settings: dict[str, str], seed: int, overwrite: bool) -> None:
    """Simulate N stars of an estimator's own model, write them to a file, and print the truth."""
    estimator = made(registry.estimator_class(name), settings)
    extension(writable(target, overwrite))
    rows, truth = sample(estimator, n, seed)
    rows.write(target, overwrite=overwrite)
    click.echo(f"{len(rows):,} rows written to {target}; the truth:")
    width = max(map(len, truth))
    for key, value in truth.items():
        click.echo(f"  {key:<{width}}  {_few(value)}")


def _few(value: Any) -> str:
    """A value as text; of many, those of the sources, only the first and the last."""
    import numpy as np

    with np.printoptions(threshold=6, edgeitems=3, precision=6):
        return " ".join(str(value).split())


def sample(estimator: Any, n: int, seed: Any) -> Any:
    """Rows and truth of an estimator's own model."""
    import numpy as np

    try:
        return estimator.simulate(n, np.random.default_rng(seed))
    except NotImplementedError as error:
        raise InputError(f"{estimator.name} cannot be simulated: {error}") from error
