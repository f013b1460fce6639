"""The velocity ellipsoid in 50 groups: a pass of either method, beside what others offer for the same moments."""

import numpy as np
from timing import best, optional, peak, show

import astrokin as ak
from astrokin import engines
from astrokin.estimators.linear_field import State
from astrokin.folding import Collect, Params
from astrokin.selection import Selection

N, GROUPS = 1_000_000, 50
Ellipsoid = ak.estimators.VelocityEllipsoid

stars, truth = Ellipsoid().simulate(N, np.random.default_rng(1))
plain = {k: getattr(stars, k) for k in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")}
covariance = stars.raw.covariance
kind = np.random.default_rng(2).integers(0, GROUPS, N)
values = np.array([truth[k].value for k in truth])
tensor = values[3:][[[0, 1, 2], [1, 3, 4], [2, 4, 5]]]


def one_pass(groups=GROUPS, final=False, errors=True, **options):
    estimator = Ellipsoid(by="kind" if groups > 1 else None, **options)
    # As the driver has it for so many stars: in single precision.
    state = State(np.tile(values, (groups, 1)), np.tile(tensor, (groups, 1, 1)), estimator.field, single=True)
    labels = tuple(range(groups)) if groups > 1 else ()
    selection = Selection(needs=estimator.needs, by=estimator.by, labels=labels)

    def act():
        sample = ak.Stars(**plain, covariance=covariance if errors else None, columns={"kind": kind})
        return engines.fold(Collect(estimator, selection, Params(state, final)), engines.MemorySource(sample))

    return act


moments, sky = {"method": "moments"}, {"use": "pm"}
times = [
    ("moments: a pass, 50 groups, door and errors included", best(one_pass(**moments), N, runs=3)),
    ("moments: the final pass, with its errors", best(one_pass(final=True, **moments), N, runs=3)),
    ("moments: a pass, proper motions only", best(one_pass(**moments, **sky), N, runs=3)),
    ("moments: a pass, no measurement errors", best(one_pass(errors=False, **moments), N, runs=3)),
    ("moments: a pass, one group", best(one_pass(1, **moments), N, runs=3)),
    ("likelihood: a pass, 50 groups", best(one_pass(), N, runs=3)),
    ("likelihood: the final pass", best(one_pass(final=True), N, runs=3)),
    ("likelihood: a pass, proper motions only", best(one_pass(**sky), N, runs=3)),
    ("likelihood: a pass, one group", best(one_pass(1), N, runs=3)),
]
print(f"  peak memory so far {peak():.0f} MiB")
uvw = stars.uvw.value
times.append(("astrokin: U, V, W alone", best(lambda: ak.Stars(**plain).uvw, N, runs=3)))
pandas = optional("pandas")
if pandas is not None:
    frame = pandas.DataFrame({"U": uvw[0], "V": uvw[1], "W": uvw[2], "kind": kind})
    times.append(("pandas: group-by covariance, U, V, W given", best(lambda: frame.groupby("kind").cov(), N, runs=3)))
binned = optional("scipy.stats")
if binned is not None:
    products = [*uvw, *(uvw[i] * uvw[j] for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))]
    edges = [np.arange(GROUPS + 1) - 0.5]
    times.append(
        (
            "scipy: binned_statistic_dd, nine means, products given",
            best(lambda: binned.binned_statistic_dd(kind[:, None], products, "mean", bins=edges), N, runs=3),
        )
    )
weightstats = optional("statsmodels.stats.weightstats")
if weightstats is not None:

    def each_group():
        return [weightstats.DescrStatsW(uvw[:, kind == k].T).cov for k in range(GROUPS)]

    times.append(("statsmodels: DescrStatsW of each group", best(each_group, N, runs=2)))
show(times, times[0][0])
