"""``astrokin demo``: every estimator on a simulated sample that has been through a chain of effects and back."""

from __future__ import annotations

import zlib
from pathlib import Path

import click

from astrokin import registry
from astrokin.cli import report
from astrokin.cli.trial import Trial, effects_for_demo, failed, summary, trial
from astrokin.doors.files import writable
from astrokin.progress import progress
from astrokin.tables import atomic_output


@click.command()
@click.option("--n", "n", default=20_000, show_default=True, type=click.IntRange(min=10), help="Stars in a sample.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Of the random numbers.")
@click.option("--report", "target", default="report.html", show_default=True, help="Where the report goes.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there and is no such report.")
def demo(n: int, seed: int, target: str, overwrite: bool) -> int:
    """Show every estimator at work.

    For each: simulate a Gaia-like sample, push it through a chain of effects and back, fit, print truth, estimate
    and pull, and write a report.
    """
    overwrite = overwrite or report.is_one(target)
    writable(target, overwrite)
    effects, skipped = effects_for_demo()
    click.echo(f"Effects on the way: {' | '.join(e.name for e in effects) or 'none'}")
    for name, reason in skipped.items():
        click.echo(f"  without {name}: {reason}")
    trials = []
    jobs = [(name, i, e) for name, cls in registry.estimator_classes().items() for i, e in enumerate(cls.examples())]
    for name, i, estimator in progress(jobs, len(jobs), "demo", show=True):
        done = trial(estimator, effects, n, [seed, zlib.crc32(name.encode()), i])
        trials.append(done)
        click.echo("\n" + "\n".join(done.lines()))
    click.echo("\n" + summary(trials))
    _write(trials, skipped, target, overwrite)
    return 1 if failed(trials) else 0


def _write(trials: list[Trial], skipped: dict[str, str], target: str, overwrite: bool) -> None:
    with atomic_output(target, overwrite) as unfinished:
        unfinished.write_text(report.page(trials, skipped, summary(trials)), encoding="utf-8")
    click.echo(f"Report: {Path(target)}")
