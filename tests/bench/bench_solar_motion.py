"""The solar motion: a pass and the final pass, and the mean velocity, by groups too, by the general tools of others."""

import numpy as np
from scipy import stats
from timing import best, optional, peak, show

import astrokin as ak
from astrokin import engines
from astrokin.estimators.linear_field import State
from astrokin.folding import Collect, Params
from astrokin.selection import Selection
from astrokin.units import A

N = 1_000_000
FEW = 200_000  # enough for those that take a microsecond per star

estimator = ak.estimators.SolarMotion()
stars, truth = estimator.simulate(N, np.random.default_rng(1))
plain = {k: getattr(stars, k) for k in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")}
covariance = stars.raw.covariance
state = State(np.array([[truth[k].value for k in truth]]), truth["sigma2"].value * np.eye(3)[None], estimator.field)
kind = np.arange(N) % 10


class Doors:
    """Reading the angles alone: what every pass does."""

    def __call__(self, rows):
        rows.raw.triad
        return self

    def merge(self, other):
        return self


def fold(collect, errors=True):
    sample = ak.Stars(**plain, covariance=covariance if errors else None)
    return engines.fold(collect, engines.MemorySource(sample))


def one_pass(errors=True, final=False, quick=True, **options):
    chosen = ak.estimators.SolarMotion(**options)
    if not quick:
        chosen = ak.estimators.SolarMotion(dispersion="diagonal", **options)
    values = state if quick else State.start(1, chosen._shape, chosen.field)
    collect = Collect(chosen, Selection(needs=chosen.needs), Params(values, final))
    return lambda: fold(collect, errors)


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
times = [
    ("astrokin: a pass, door, errors and weights included", best(one_pass(), N)),
    ("astrokin: of it, door and angles to axes", best(lambda: fold(Doors()), N)),
    ("astrokin: a pass, no measurement errors", best(one_pass(errors=False), N)),
    ("astrokin: a pass, proper motions only", best(one_pass(use=("pm",)), N)),
    ("astrokin: a pass, radial velocities only", best(one_pass(use=("rv",)), N)),
    ("astrokin: the final pass, with the sandwich", best(one_pass(final=True), N)),
    ("astrokin: a pass, an ellipsoid fitted along", best(one_pass(quick=False), N)),
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
show(times, times[0][0])
