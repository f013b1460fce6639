"""CPU time per star of the pass of JeansKz and of the fit that follows, and the memory that more stars take."""

from time import process_time

import numpy as np
from timing import alone

from astrokin import engines, galaxy
from astrokin.estimators import JeansKz
from astrokin.estimators.vertical_kernels import Bins, Weights, sums
from astrokin.estimators.vertical_motion import motion
from astrokin.estimators.vertical_sample import Field, Sector, catalogue
from astrokin.folding import Collect
from astrokin.selection import Selection

N = 1_000_000


def best(function, times=5):
    """Return the shortest of a few runs, ns of CPU time per star."""
    spans = []
    for _ in range(times):
        start = process_time()
        function()
        spans.append(process_time() - start)
    return min(spans) / N * 1e9


def sample(n, seed=1):
    rng = np.random.default_rng(seed)
    z, vz = Field().tracers(n, rng, (25.0,))
    return catalogue(z, vz, 625.0, rng, Sector())


def blocks(stars):
    """The blocks of a pass, as it cuts them: nothing of them is remembered."""
    return engines.MemorySource(stars).blocks()


def summed(stars, order):
    bins = Bins(0.0, 10.0, 16)
    return [sums(rows, galaxy.galactocentric(), bins, Weights(None, None), None, 1, order) for rows in blocks(stars)]


def passed(stars, **options):
    """A pass as the driver makes it: selection, stars outside the bins left out, sums."""
    estimator = JeansKz(**options)
    return engines.fold(Collect(estimator, Selection(needs=estimator.needs), None), engines.MemorySource(stars))


def peak(n):
    """Peak memory (MiB) of fitting n stars that come block by block and are not kept."""
    code = f"""
    import sys
    sys.path.insert(0, "tests/bench")
    from bench_jeans import sample
    from astrokin.estimators import JeansKz
    class Stream:
        def __len__(self):
            return {n}
        def blocks(self, size):
            return (sample(1 << 14, seed) for seed in range({n} >> 14))
    print(JeansKz().fit(Stream()).used)
    """
    return alone(code)[1]


if __name__ == "__main__":
    stars = sample(N)
    bare = stars.replace(covariance=None)
    frame = galaxy.galactocentric()
    print(f"places, velocities and errors:  {best(lambda: [motion(b, frame) for b in blocks(stars)]):5.0f} ns/star")
    for order in ("z", "Rz", "RR"):
        print(f"sums to {order:2s}:  {best(lambda: summed(stars, order)):5.0f} ns/star, ", end="")  # noqa: B023
        print(f"without measurement errors {best(lambda: summed(bare, order)):5.0f}")  # noqa: B023
    for tilt in ("none", "linear", "spheroidal"):
        print(f"a pass, tilt {tilt}:  {best(lambda: passed(stars, tilt=tilt)):5.0f} ns/star, ", end="")  # noqa: B023
        print(f"without measurement errors {best(lambda: passed(bare, tilt=tilt)):5.0f}")  # noqa: B023
    for options in ({"tilt": "none"}, {}, {"solver": "splines"}):
        print(f"the whole fit, {options}:  {best(lambda: JeansKz(**options).fit(stars), 3):5.0f} ns/star")  # noqa: B023
    few, many = peak(1 << 18), peak(1 << 21)
    print(f"peak memory: {few:.0f} MiB with {1 << 18:,} stars, {many:.0f} with {1 << 21:,}")
