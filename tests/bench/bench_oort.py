"""Oort's constants: each pass of the fit, and the same seven parameters by the general least squares of others."""

import numpy as np
from timing import best, optional, passes, peak, show, show_passes

import astrokin as ak
from astrokin import galaxy
from astrokin.units import A

N = 1_000_000
FEW = 200_000  # enough for those that take a microsecond per star

estimator = ak.estimators.OortConstants()
stars, truth = estimator.simulate(N, np.random.default_rng(1))
plain = {k: getattr(stars, k) for k in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")}
covariance = stars.raw.covariance


def sample(errors):
    """The stars through the door, which looks at them but does not copy them."""
    return lambda: ak.Stars(**plain, covariance=covariance if errors else None, copy=False)


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
for use in (("pm",), ("pm", "rv")):
    for errors in (False, True):
        name = f"{' + '.join(use)}, {'with' if errors else 'without'} errors, door included"
        show_passes(name, passes(ak.estimators.OortConstants(use=use), sample(errors)))
times = [("astrokin: the whole fit, pm + rv, with errors", best(lambda: estimator.fit(stars), N, runs=3))]
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
