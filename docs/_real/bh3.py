"""The numbers and the figure of the tutorial on orbits that come from the epochs of Gaia BH3.

``python docs/_real/bh3.py DATA`` makes ``bh3.txt`` beside this file and the figure in ``_static`` from the folder with
``bh3_epochast.dat`` and ``bh3_epochrv.dat``; a test compares the numbers wherever these are found.
"""

import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.time import Time

import astrokin as ak

HERE = Path(__file__).parent
TEXT, FIGURE = HERE / "bh3.txt", HERE.parent / "_static" / "orbit-bh3.png"
POSITIONS, VELOCITIES = "bh3_epochast.dat", "bh3_epochrv.dat"
#: Of positions alone, as Gaia Collaboration et al. (2024, A&A 686, L2) have them, rounded.
PUBLISHED = {"parallax": "1.68", "period": "4236", "eccentricity": "0.728", "semi_major_axis": "27.3"}
DIGITS = {"parallax": 3, "pmra": 3, "pmdec": 3, "period": 0, "eccentricity": 4, "semi_major_axis": 2,
          "inclination": 2, "node": 2, "periastron": 2, "systemic_velocity": 2, "semi_amplitude": 2}  # fmt: skip


def positions(folder):
    """The abscissae that Gaia's own solution has not marked as outliers."""
    table = np.genfromtxt(Path(folder) / POSITIONS)
    good = table[table[:, 7] == 0].T
    return ak.Epochs(
        obstime=Time(good[2], format="jd", scale="tcb"), abscissa=good[3] * u.mas, abscissa_error=good[4] * u.mas,
        parallax_factor=good[5], scan_angle=good[6] * u.deg,
    )  # fmt: skip


def velocities(folder):
    """The radial velocities."""
    table = np.genfromtxt(Path(folder) / VELOCITIES).T
    return ak.Epochs(
        obstime=Time(table[1], format="jd", scale="tcb"), radial_velocity=table[2] * u.km / u.s,
        radial_velocity_error=table[3] * u.km / u.s,
    )  # fmt: skip


def solution(model, **options):
    """The estimator."""
    return ak.estimators.AstrometricSolution(model, reference_epoch=2017.5, **options)


def value(fit, name):
    """A value and its error, as text; nothing where there is none."""
    if name not in fit and name not in fit.derived:
        return ""
    known = (fit, fit.error) if name in fit else (fit.derived, fit.derived_error)
    found, error = (q[name].value for q in known)
    return f"{found:.{DIGITS[name]}f} ± {error:.{DIGITS[name]}f}"


def mass(fit):
    """The mass function of a dark companion, solar masses."""
    size = fit.derived["semi_major_axis"].value / fit["parallax"].value
    return size**3 / fit["period"].to_value(u.yr) ** 2


def fits(folder):
    """A single star; the orbit from positions, and from radial velocities too."""
    epochs = positions(folder)
    both = ak.Epochs.joined([epochs, velocities(folder)])
    orbit = solution("orbit", jitter=True)
    return solution("5").fit(epochs), orbit.fit(epochs), orbit.fit(both)


def text(folder):
    """The table."""
    found = fits(folder)
    widths = (19, 20, 20, 20)
    rows = [("", "five parameters", "orbit", "with velocities", "published")]
    for name in DIGITS:
        rows.append((name, *(value(fit, name) for fit in found), PUBLISHED.get(name, "")))
    rows.append(("mass_function", "", *(f"{mass(fit):.1f}" for fit in found[1:]), ""))
    for name, digits in (("unit_weight_error", 2), ("epochs", 0)):
        rows.append((name, *(f"{fit.columns[name]:.{digits}f}" for fit in found), ""))
    lines = ("".join(f"{cell:<{width}}" for cell, width in zip(row, (*widths, 20), strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines) + "\n"


def figure(folder):
    """The search of the period, the orbit on the sky, and the residuals."""
    from astrokin import fit_plot

    made = fit_plot.new_figure(12.0, 4.0)
    axes = made.subplots(1, 3, width_ratios=(1.0, 0.8, 1.1))
    estimator, epochs = solution("orbit", jitter=True), positions(folder)
    estimator.plot_search(epochs, axes=axes[0])
    estimator.plot_source(epochs, axes=axes[1:])
    return made


def main(folder):
    TEXT.write_text(text(folder), encoding="utf-8")
    figure(folder).savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
