"""Oort's constants: a pass and the final pass, and the same seven parameters by the general least squares of others."""

import numpy as np
from timing import best, optional, peak, show

import astrokin as ak
from astrokin import engines, galaxy
from astrokin.estimators.linear_field import State
from astrokin.folding import Collect, Params
from astrokin.selection import Selection
from astrokin.units import A

N = 1_000_000
FEW = 200_000  # enough for those that take a microsecond per star

estimator = ak.estimators.OortConstants()
stars, truth = estimator.simulate(N, np.random.default_rng(1))
plain = {k: getattr(stars, k) for k in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")}
covariance = stars.raw.covariance
values = np.array([[truth[k].value for k in truth]])
state = State(values, values[0, 7] * np.eye(3)[None])


def one_pass(use=("pm", "rv"), final=False, errors=True):
    def act():
        sample = ak.Stars(**plain, covariance=covariance if errors else None)
        chosen = ak.estimators.OortConstants(use=use)
        collect = Collect(chosen, Selection(needs=chosen.needs), Params(state, final))
        return engines.fold(collect, engines.MemorySource(sample))

    return act


def design():
    """Rows of the two proper motions and the radial velocity, equally weighted velocities: what others are given."""
    turn = galaxy.icrs_to_galactic()
    some = stars[:FEW]
    east, north = (turn @ v for v in some.raw.basis)
    g, d = turn @ some.raw.direction, some.distance.value
    rows, data = [], []
    seen = A * some.pmra.value * d, A * some.pmdec.value * d, some.raw.radial_velocity
    for axis, velocity in zip((east, north, g), seen, strict=True):
        x, y, _ = g * d
        field = [axis[0] * y + axis[1] * x, axis[1] * x - axis[0] * y, axis[0] * x - axis[1] * y]
        rows.append(np.stack([*field, axis[0] * x + axis[1] * y, *(-axis)], axis=1))
        data.append(velocity)
    return np.concatenate(rows), np.concatenate(data)


fit = estimator.fit(stars)
print(f"  {fit.passes} passes; A = {fit['A']:.3f} ± {fit.error['A'].value:.3f} (truth {truth['A'].value})")
times = [
    ("astrokin: a pass, door, errors and weights included", best(one_pass(), N)),
    ("astrokin: the final pass, with the sandwich", best(one_pass(final=True), N)),
    ("astrokin: a pass, proper motions only", best(one_pass(use=("pm",)), N)),
    ("astrokin: a pass, no measurement errors", best(one_pass(errors=False), N)),
    ("astrokin: the whole fit", best(lambda: estimator.fit(stars), N, runs=3)),
]
print(f"  peak memory so far {peak():.0f} MiB")
x, y = design()
times.append(("numpy.linalg.lstsq, the design given", best(lambda: np.linalg.lstsq(x, y, rcond=None), FEW, runs=3)))
times.append(
    ("numpy: normal equations, the design given", best(lambda: np.linalg.solve(x.T @ x, x.T @ y), FEW, runs=3))
)
times.append(("numpy: making the design", best(design, FEW, runs=3)))
models = optional("statsmodels.regression.linear_model")
if models is not None:
    weight = np.full(len(y), 1 / 625.0)
    times.append(("statsmodels OLS, the design given", best(lambda: models.OLS(y, x).fit().bse, FEW, runs=2)))
    times.append(
        (
            "statsmodels WLS with the sandwich (HC1)",
            best(lambda: models.WLS(y, x, weight).fit(cov_type="HC1").bse, FEW, runs=2),
        )
    )
show(times, times[0][0])
