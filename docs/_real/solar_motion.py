"""The numbers and the figure of the tutorial on the solar motion that come from real stars.

``python docs/_real/solar_motion.py DATA`` makes ``solar_motion.txt`` beside this file and the figure in ``_static``
from the folder with ``hipparcos_gaia_dr3.csv.gz``; a test compares the numbers wherever that is found.
"""

import sys
from pathlib import Path

import astropy.units as u
import numpy as np

import astrokin as ak

HERE = Path(__file__).parent
TEXT, FIGURE = HERE / "solar_motion.txt", HERE.parent / "_static" / "solar-motion-hipparcos.png"
CATALOGUE = "hipparcos_gaia_dr3.csv.gz"
NAMES = {
    "ra": "ra_deg",
    "dec": "dec_deg",
    "pmra": "pmra_masyr",
    "pmdec": "pmdec_masyr",
    "radial_velocity": "rv_kms",
    "parallax": "plx_mas",
}
COLOURS = [-0.3, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.0, 1.6]
RELAXED = COLOURS[2:-1]
ROTATION = (15.3, -11.9, -3.2, -3.3) * u.km / u.s / u.kpc
USES = {"proper motions": ("pm",), "radial velocities": ("rv",), "both": ("pm", "rv")}
COMMON = {"clip": 4.0, "rotation": ROTATION}


def drift(stars, edges, use=("pm", "rv"), **options):
    """The lags of bins of colour, and the line through them."""
    return ak.estimators.AsymmetricDrift(by=("BV", edges), use=use, **COMMON, **options).fit(stars)


def main_sequence(stars):
    """The kinematically unbiased sample of Dehnen & Binney (1998)."""
    return stars[np.asarray(stars["in_db98"]) == 1]


def value(fit, name, i=None):
    """A value and its error, as text."""
    found = [q.value if i is None else q.value[i] for q in (fit[name], fit.error[name])]
    digits = 0 if name.startswith("sigma") else 1
    return f"{found[0]:.{digits}f} ± {found[1]:.{digits}f}"


def bins(stars):
    """The solar motion bin by bin."""
    yield "B-V           stars  U            V            W            sigma_UU      V (pm)       V (rv)"
    fits = [drift(stars, COLOURS, use).of_groups for use in (("pm", "rv"), ("pm",), ("rv",))]
    both, *alone = fits
    count, _ = np.histogram(np.asarray(stars["BV"], float), COLOURS)
    for i, (low, high) in enumerate(both.groups):
        cells = [value(both, k, i) for k in ("U", "V", "W", "sigma_UU")] + [value(f, "V", i) for f in alone]
        widths = (12, 12, 12, 13, 12, 12)
        shown = " ".join(f"{cell:<{w}}" for cell, w in zip(cells, widths, strict=True))
        yield f"{low:4.1f} to {high:3.1f} {count[i]:8,}  {shown}".rstrip()


def extrapolations(stars):
    """Strömberg's extrapolation of different motions and bins."""
    yield "motions, bins of B-V, dispersion        U_sun        V_sun        W_sun        k           chi2/dof"
    variants = [(what, RELAXED, {"use": use}) for what, use in USES.items()]
    variants += [("both", COLOURS[1:-1], {}), ("both", COLOURS, {})]
    variants += [("proper motions", RELAXED, {"use": ("pm",), "dispersion": "isotropic"})]
    for what, edges, options in variants:
        plain, fit = (drift(stars, edges, scatter=s, **options) for s in (False, True))
        kind = options.get("dispersion", "sigma_UU")
        label = f"{what}, {edges[0]:.1f} to {edges[-1]:.1f}, {kind}"
        misfit = f"{plain.columns['chi2']:.0f}/{plain.columns['dof']}"
        cells = [value(fit, k) for k in ("U_sun", "V_sun", "W_sun", "k")]
        yield f"{label:<39} {cells[0]:<12} {cells[1]:<12} {cells[2]:<12} {cells[3]:<11} {misfit}"


def rest(stars):
    """The solar motion relative to the other stars of the catalogue."""
    yield "the other stars within 300 pc           U            V            W            sigma       used"
    others = stars[np.asarray(stars["in_db98"]) != 1]
    for what, use in USES.items():
        fit = ak.estimators.SolarMotion(use=use, max_distance=0.3 * u.kpc, **COMMON).fit(others)
        cells, sigma = [value(fit, k) for k in "UVW"], fit.derived["sigma"].value
        yield f"{what:<39} {cells[0]:<12} {cells[1]:<12} {cells[2]:<12} {sigma:<11.1f} {fit.used:,}"


def text(stars):
    """All tables."""
    sample = main_sequence(stars)
    return "\n\n".join("\n".join(part) for part in (bins(sample), extrapolations(sample), rest(stars))) + "\n"


def figure(stars):
    """All bins, with the line of those redder than 0.1."""
    from astrokin import fit_plot
    from astrokin.estimators import solar_motion_plot

    everything, line = drift(stars, COLOURS), drift(stars, RELAXED, scatter=True)
    made = fit_plot.new_figure(10.0, 3.8)
    axes = made.subplots(1, 3)
    solar_motion_plot.draw(line, axes)
    young = everything.of_groups
    for ax, name in zip(axes, "UVW", strict=True):
        x, y = (young[k].value[:2] for k in ("sigma_UU", name))
        dx, dy = (young.error[k].value[:2] for k in ("sigma_UU", name))
        ax.errorbar(x, y, xerr=dx, yerr=dy, fmt="o", color="0.6", capsize=2, markersize=4, label="B-V < 0.1")
    axes[1].legend(loc="upper left", frameon=False)
    return made


def main(folder):
    stars = ak.Stars.read(Path(folder) / CATALOGUE, names=NAMES)
    TEXT.write_text(text(stars), encoding="utf-8")
    figure(main_sequence(stars)).savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
