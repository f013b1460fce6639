"""The numbers and the figure of the tutorial on the velocity ellipsoid that come from real stars.

``python docs/_real/ellipsoid.py DATA`` makes ``ellipsoid.txt`` beside this file and the figure in ``_static`` from the
folder with ``hipparcos_gaia_dr3.csv.gz``; a test compares the numbers wherever that is found.
"""

import sys
from pathlib import Path

import astropy.units as u
import numpy as np

import astrokin as ak

HERE = Path(__file__).parent
TEXT, FIGURE = HERE / "ellipsoid.txt", HERE.parent / "_static" / "ellipsoid-hipparcos.png"
CATALOGUE = "hipparcos_gaia_dr3.csv.gz"
NAMES = {
    "ra": "ra_deg",
    "dec": "dec_deg",
    "pmra": "pmra_masyr",
    "pmdec": "pmdec_masyr",
    "radial_velocity": "rv_kms",
    "parallax": "plx_mas",
}
COLOURS = [-0.3, 0.0, 0.15, 0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 1.6]
OTHERS = [-0.3, 0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.7]
BOTH, SKY = ("pm", "rv"), ("pm",)
Ellipsoid = ak.estimators.VelocityEllipsoid


def main_sequence(stars):
    """The kinematically unbiased sample of Dehnen & Binney (1998)."""
    return stars[np.asarray(stars["in_db98"]) == 1]


def others(stars):
    """The rest of the catalogue."""
    return stars[np.asarray(stars["in_db98"]) != 1]


def by_colour(stars, edges=COLOURS, use=BOTH, robust=True, **options):
    """The ellipsoid in bins of colour."""
    return Ellipsoid(by=("BV", edges), use=use, robust=robust, **options).fit(stars)


def value(fit, name, i=None, digits=None):
    """A value and its error, as text."""
    known = (fit, fit.error) if name in fit else (fit.derived, fit.derived_error)
    found = [q[name].value if i is None else q[name].value[i] for q in known]
    digits = digits if digits is not None else 2 if name.startswith("ratio") else 1
    return f"{found[0]:.{digits}f} ± {found[1]:.{digits}f}"


def counts(stars, edges):
    """How many stars there are in each bin."""
    return np.histogram(np.asarray(stars["BV"], float), edges)[0]


def bins(stars, edges=COLOURS, **options):
    """The ellipsoid bin by bin, from all motions, with some of it from proper motions alone."""
    yield "B-V             stars  sigma_1     ratio_21     ratio_31     vertex deviation      sigma_3"
    yield "                                                             all         pm        all        pm"
    both, sky = (by_colour(stars, edges, use, **options) for use in (BOTH, SKY))
    within = stars if "max_distance" not in options else stars[stars.distance <= options["max_distance"]]
    for i, (n, (low, high)) in enumerate(zip(counts(within, edges), both.groups, strict=True)):
        shown = [value(both, k, i) for k in ("sigma_1", "ratio_21", "ratio_31")]
        shown += [value(fit, "vertex_deviation", i, 0) for fit in (both, sky)]
        shown += [value(fit, "sigma_3", i) for fit in (both, sky)]
        cells = " ".join(f"{cell:<{w}}" for cell, w in zip(shown, (11, 12, 12, 11, 9, 10, 10), strict=True))
        yield f"{low:5.2f} to {high:4.2f} {n:7,}  {cells}".rstrip()


def ways(stars):
    """The vertex deviation and the ratio of the axes with and without the mixture, of proper motions alone."""
    yield "B-V             vertex deviation (pm)                 ratio_21 (pm)"
    yield "                robust      likelihood  moments       robust       likelihood   moments"
    fits = [by_colour(stars, use=SKY), by_colour(stars, use=SKY, robust=False)]
    fits.append(by_colour(stars, use=SKY, robust=False, method="moments"))
    for i, (low, high) in enumerate(fits[0].groups):
        cells = [f"{value(fit, 'vertex_deviation', i, 0):<11}" for fit in fits]
        cells += [f"{value(fit, 'ratio_21', i):<12}" for fit in fits]
        yield f"{low:5.2f} to {high:4.2f}  {' '.join(cells[:3])}   {' '.join(cells[3:])}".rstrip()


def radial_errors(stars):
    """What errors of the radial velocities, of which the catalogue lists none, would take off the blue bins."""
    yield "error of the radial velocities       sigma_3 of B-V < 0.0, to 0.15, to 0.3, to 0.4"
    for size in (0.0, 3.0, 5.0):
        errors = ak.Covariance(errors={"radial_velocity": np.full(len(stars), size)})
        fit = by_colour(stars.replace(covariance=errors), COLOURS[:5])
        yield f"{size:.0f} km/s                               {' '.join(value(fit, 'sigma_3', i) for i in range(4))}"
    fit = by_colour(stars, COLOURS[:5], SKY)
    yield f"proper motions alone                 {' '.join(value(fit, 'sigma_3', i) for i in range(4))}"


def latitudes(stars):
    """The vertical dispersion of the others, 0.4 < B-V < 0.6, near the plane and near the poles."""
    yield "root of sigma_WW, the others within 250 pc, B-V 0.4 to 0.6"
    colour = np.asarray(stars["BV"], float)
    stars = stars[(colour >= 0.4) & (colour < 0.6) & (stars.distance <= 0.25 * u.kpc)]
    height = np.abs(stars.b)
    for low, high in ((0, 15), (15, 30), (30, 50), (50, 90)):
        some = stars[(height >= low * u.deg) & (height < high * u.deg)]
        fit = Ellipsoid(robust=True).fit(some)
        root = np.sqrt(fit["sigma_WW"].value)
        error = fit.error["sigma_WW"].value / (2.0 * root)
        yield f"|b| from {low:2d} to {high} deg, {len(some):,} stars: {root:.1f} ± {error:.1f}"


def whole(stars):
    """All stars within a kiloparsec, about the Galactic centre."""
    fit = Ellipsoid(axes="cylindrical", robust=True, max_distance=1 * u.kpc).fit(stars)
    yield f"all within 1 kpc, {fit.used:,} stars"
    for names in (("mean_R", "mean_phi", "mean_z"), ("sigma_1", "sigma_2", "sigma_3"), ("vertex_deviation", "tilt")):
        yield "   ".join(f"{k} = {value(fit, k)}" for k in names)


def text(stars):
    """All tables."""
    sample = main_sequence(stars)
    near = {"max_distance": 0.25 * u.kpc}
    parts = bins(sample), ways(sample), radial_errors(sample), bins(others(stars), OTHERS, **near)
    parts = (*parts, latitudes(others(stars)), whole(stars))
    return "\n\n".join("\n".join(part) for part in parts) + "\n"


def figure(stars):
    """Vertex deviation and axis ratios against colour, with and without radial velocities."""
    from astrokin import fit_plot

    made = fit_plot.new_figure(10.0, 3.8)
    axes = made.subplots(1, 3)
    panels = (("vertex_deviation",), ("ratio_21", "ratio_31"), ("sigma_1", "sigma_2", "sigma_3"))
    labels = ("vertex deviation  (deg)", "axis ratios", "dispersion along the axes  (km/s)")
    both, sky = (by_colour(stars, use=use) for use in (BOTH, SKY))
    place, half, label = fit_plot.abscissa(both, len(COLOURS) - 1)
    for ax, names, told in zip(axes, panels, labels, strict=True):
        for name in names:
            for fit, colour, shift, fill in ((both, fit_plot.RESULT, 0.0, None), (sky, fit_plot.DERIVED, 0.012, "w")):
                round_ = (name == "vertex_deviation") & (fit.derived_error[name].value > 20)  # a circle has none
                y = np.where(round_, np.nan, fit.derived[name].value)
                error = fit.derived_error[name].value
                what = "all motions" if fit is both else "proper motions alone"
                kind = {"fmt": "o", "color": colour, "markerfacecolor": fill, "capsize": 2, "markersize": 4}
                ax.errorbar(place + shift, y, yerr=error, xerr=half, label=what if name == names[0] else None, **kind)
        ax.set(xlabel=label.replace("BV", "B-V"), ylabel=told, ylim=(0, None))
        ax.grid(alpha=0.3)
    axes[0].legend(frameon=False, fontsize="small")
    return made


def main(folder):
    stars = ak.Stars.read(Path(folder) / CATALOGUE, names=NAMES)
    TEXT.write_text(text(stars), encoding="utf-8")
    figure(main_sequence(stars)).savefig(FIGURE, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
