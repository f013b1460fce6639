"""Five-parameter solutions of many sources, beside a loop over sources with numpy's least squares; and orbits."""

import astropy.units as u
import numpy as np
from timing import best, peak, show

import astrokin as ak

N, EPOCHS = 10_000, 100
FEW = 1000  # enough for the loop

rng = np.random.default_rng(1)
source = np.repeat(np.arange(N), EPOCHS)
time = np.sort(rng.uniform(2014.6, 2019.6, (N, EPOCHS)), axis=1).ravel()
angle, factor = rng.uniform(0, 360, N * EPOCHS), rng.uniform(-0.7, 0.7, N * EPOCHS)
epochs = ak.Epochs(
    obstime=time,
    abscissa=rng.normal(size=N * EPOCHS) * u.mas,
    abscissa_error=rng.uniform(0.5, 1.5, N * EPOCHS) * u.mas,
    scan_angle=angle * u.deg,
    parallax_factor=factor,
    columns={"source_id": source},
)


def fits(model="5", **options):
    estimator = ak.estimators.AstrometricSolution(model, reference_epoch=2017.0, **options)
    return lambda: estimator.fit(epochs)


paired = epochs.replace(
    abscissa_pair=np.tile(np.arange(EPOCHS) // 2, N).astype(float), abscissa_corr=np.full(N * EPOCHS, 0.3)
)


def pairs():
    """Neighbours in time with correlated errors."""
    return ak.estimators.AstrometricSolution(reference_epoch=2017.0).fit(paired)


def loop():
    """What one writes first: a source after the other."""
    t, raw = time - 2017.0, epochs.raw
    s, c = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    weight = 1.0 / raw["abscissa_error"]
    x = np.stack([s, c, factor, s * t, c * t], axis=1) * weight[:, None]
    y = raw["abscissa"] * weight
    out = np.empty((FEW, 5))
    for k in range(FEW):
        rows = slice(k * EPOCHS, (k + 1) * EPOCHS)
        out[k] = np.linalg.lstsq(x[rows], y[rows], rcond=None)[0]
        np.linalg.inv(x[rows].T @ x[rows])
    return out


print(f"  {N} sources of {EPOCHS} epochs; times are per source")
times = [
    ("astrokin: 5 parameters, covariance and quality", best(fits(), N)),
    ("astrokin: 7 parameters", best(fits("7"), N)),
    ("astrokin: 9 parameters", best(fits("9"), N)),
    ("astrokin: 6 parameters (not linear)", best(fits("6"), N, runs=2)),
    ("astrokin: 5 parameters, excess noise fitted", best(fits(jitter=True), N, runs=2)),
    ("astrokin: 5 parameters, outliers rejected", best(fits(reject=4.0), N, runs=2)),
    ("astrokin: 5 parameters, correlated pairs", best(pairs, N, runs=2)),
    ("a loop: numpy.linalg.lstsq and inv, no quality", best(loop, FEW, runs=3)),
]
for name, (taken, _) in times[:1]:
    print(f"  {name}: {1e9 / taken:,.0f} per second; peak memory {peak():.0f} MiB")
periods = (100, 700) * u.day
orbit = ak.estimators.AstrometricSolution("orbit", reference_epoch=2017.5, period_range=periods)
sample, _ = orbit.simulate(10, np.random.default_rng(1))
times.append(("astrokin: an orbit, blind search of 100 to 700 d", best(lambda: orbit.fit(sample), 10, runs=2)))
show(times, times[0][0])
