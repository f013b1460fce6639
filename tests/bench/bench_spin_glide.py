"""CPU time per star of a pass of SpinAndGlide, beside numpy's lstsq on the whitened equations."""

from time import process_time

import numpy as np

from astrokin import engines
from astrokin.estimators.spin_glide import SpinAndGlide
from astrokin.estimators.spin_glide_sample import quasars
from astrokin.estimators.vector_harmonics import State, Terms

N = 1_000_000


def best(function, times=5):
    """Return the shortest of a few runs, ns of CPU time per star."""
    spans = []
    for _ in range(times):
        start = process_time()
        function()
        spans.append(process_time() - start)
    return min(spans) / N * 1e9


def one_pass(sample, state, meat):
    parts = (Terms(rows, state).sums(meat) for rows in engines.MemorySource(sample).blocks())
    total = next(parts)
    for part in parts:
        total = total.merge(part)
    return total


def lstsq(sample):
    """The same six parameters in the plainest way: whiten the equations, and solve them."""
    ra, dec = np.radians(sample.ra.value), np.radians(sample.dec.value)
    zero, sa, ca, sd, cd = np.zeros(N), np.sin(ra), np.cos(ra), np.sin(dec), np.cos(dec)
    p, q = np.stack([-sa, ca, zero], axis=1), np.stack([-sd * ca, -sd * sa, cd], axis=1)
    raw, c = sample.raw, sample.raw.covariance
    s11, s12, s22 = (c.element(*k) for k in (("pmra", "pmra"), ("pmra", "pmdec"), ("pmdec", "pmdec")))
    l11 = np.sqrt(s11)
    l21 = s12 / l11
    l22 = np.sqrt(s22 - l21**2)
    one, y1 = np.hstack([-q, p]) / l11[:, None], raw.angle("pmra") / l11
    two, y2 = (np.hstack([p, q]) - l21[:, None] * one) / l22[:, None], (raw.angle("pmdec") - l21 * y1) / l22
    return np.linalg.lstsq(np.concatenate([one, two]), np.concatenate([y1, y2]), rcond=None)[0]


def told(sample, degree):
    """Return the times of the passes and fits of one degree, in words."""
    state = State.first(1, degree, False)
    passes = [best(lambda: one_pass(sample, state, meat)) for meat in (False, True)]  # noqa: B023
    fits = SpinAndGlide(degree=degree, dispersion="none"), SpinAndGlide(degree=degree)
    whole = [best(lambda: estimator.fit(sample), 2) for estimator in fits]  # noqa: B023
    return (
        f"degree {degree}: a pass {passes[0]:.0f} ns/star, the final one {passes[1]:.0f}; "
        f"the fit {whole[0]:.0f}, with the dispersion {whole[1]:.0f}"
    )


if __name__ == "__main__":
    sample = quasars(N, np.random.default_rng(1), [0.1, -0.05, 0.08, -0.02, 0.06, 0.03])
    print(told(sample, 1), told(sample, 2), sep="\n")
    print(f"numpy lstsq: {best(lambda: lstsq(sample), 2):.0f} ns/star")
    fit = SpinAndGlide(dispersion="none").fit(sample)
    apart = np.abs(lstsq(sample) - [fit[k].value for k in fit]).max()
    print(f"largest difference of the two: {apart:.1e} mas/yr")
