"""The solar motion: each pass of the fit, and the mean velocity, by groups too, by the general tools of others."""

import numpy as np
from scipy import stats
from timing import best, optional, passes, peak, show, show_passes

import astrokin as ak
from astrokin import engines
from astrokin.folding import Collect
from astrokin.selection import Selection
from astrokin.units import A

N = 1_000_000
FEW = 200_000  # enough for those that take a microsecond per star

estimator = ak.estimators.SolarMotion()
stars, truth = estimator.simulate(N, np.random.default_rng(1))
plain = {k: getattr(stars, k) for k in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")}
covariance = stars.raw.covariance
kind = np.arange(N) % 10


class Doors:
    """Reading the angles alone: what every pass does."""

    def __call__(self, rows):
        rows.raw.triad
        return self

    def merge(self, other):
        return self


def sample(errors):
    """The stars through the door, which looks at them but does not copy them."""
    return ak.Stars(**plain, covariance=covariance if errors else None, copy=False)


def fold(collect):
    return engines.fold(collect, engines.MemorySource(sample(True)))


def moments():
    chosen = ak.estimators.SolarMotion(method="moments")
    return fold(Collect(chosen, Selection(needs=chosen.needs), None))


def velocities(some):
    """U, V, W of each star by plain numpy: what the others are given."""
    raw = some.raw
    across = raw.proper_motion * (A / raw.parallax)
    return (ak.galaxy.icrs_to_galactic() @ (across + raw.direction * raw.radial_velocity)).T


fit = estimator.fit(stars)
print(f"  {fit.passes} passes; V = {fit['V']:.3f} ± {fit.error['V'].value:.3f} (truth {truth['V'].value})")
for use in (("pm",), ("rv",), ("pm", "rv")):
    for errors in (False, True):
        name = f"{' + '.join(use)}, {'with' if errors else 'without'} errors, door included"
        show_passes(name, passes(ak.estimators.SolarMotion(use=use), lambda errors=errors: sample(errors)))
show_passes("an ellipsoid fitted along", passes(ak.estimators.SolarMotion(dispersion="diagonal"), lambda: sample(True)))
times = [
    ("astrokin: the door, and angles to axes", best(lambda: fold(Doors()), N)),
    ("astrokin: moments over the sky", best(moments, N)),
    ("astrokin: the whole fit", best(lambda: estimator.fit(stars), N, runs=3)),
]
print(f"  peak memory so far {peak():.0f} MiB")
uvw = velocities(stars)
labelled = stars.replace(columns={"kind": kind})
grouped = ak.estimators.SolarMotion(by="kind", method="moments", sky_bands=0)
times.append(("astrokin: moments of ten groups, the whole fit", best(lambda: grouped.fit(labelled), N, runs=3)))
times.append(("numpy: making U, V, W", best(lambda: velocities(stars), N, runs=3)))
pandas = optional("pandas")
if pandas is not None:
    frame = pandas.DataFrame({"U": uvw[:, 0], "V": uvw[:, 1], "W": uvw[:, 2], "kind": kind})
    times.append(
        (
            "pandas: mean and error of ten groups, U, V, W given",
            best(lambda: frame.groupby("kind").agg(["mean", "sem"]), N, runs=3),
        )
    )
edges = [np.arange(-0.5, 10.0)]
times.append(
    (
        "scipy binned_statistic_dd: means of ten groups, given",
        best(lambda: stats.binned_statistic_dd(kind[:FEW], uvw[:FEW].T, "mean", edges), FEW, runs=3),
    )
)
models = optional("statsmodels.regression.linear_model")
if models is not None:
    axes = np.concatenate(
        [-(ak.galaxy.icrs_to_galactic() @ v[:, :FEW]).T for v in (*stars.raw.basis, stars.raw.direction)]
    )
    seen = np.concatenate([(uvw[:FEW] * -part).sum(axis=1) for part in np.split(axes, 3)])
    times.append(
        (
            "statsmodels OLS with the sandwich (HC1), design given",
            best(lambda: models.OLS(seen, axes).fit(cov_type="HC1").bse, FEW, runs=2),
        )
    )
show(times, "astrokin: the whole fit")
