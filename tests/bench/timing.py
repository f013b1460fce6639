"""Best of several runs, per star, and peak memory of a process of its own."""

import resource
import subprocess
import sys
import textwrap
import time
from importlib import import_module


def best(act, n, runs=5):
    """The quickest of some runs, in ns per star, and how much slower the slowest was."""
    act()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        act()
        taken.append(time.perf_counter() - start)
    return min(taken) * 1e9 / n, max(taken) / min(taken)


def show(rows, first):
    """Print times beside the ratio to the first of them."""
    base = dict(rows)[first][0]
    for name, (time_per_star, spread) in rows:
        print(f"  {name:58s} {time_per_star:9.1f} ns/star {time_per_star / base:8.2f} x   (spread {spread:.2f})")


def passes(estimator, sample, runs=5):
    """The time of each pass of a fit, ns per star: of making the sample, the fold and the step, as in a fit."""
    taken = [list(_each_pass(estimator, sample)) for _ in range(runs)]
    return [min(times) for times in zip(*taken, strict=True)]


def _each_pass(estimator, sample):
    # Here, so that what does not need astrokin runs without.
    from astrokin import engines, folding

    params, count = None, 0
    selection = folding._with_labels(folding._selection(estimator), engines.MemorySource(sample()), False)
    while True:
        start = time.perf_counter()
        stars = sample()
        collect = folding.Collect(estimator, selection, params)
        fit = estimator.solve(engines.fold(collect, engines.MemorySource(stars)).summary, params)
        yield (time.perf_counter() - start) * 1e9 / len(stars)
        if params is not None and params.final:
            return
        count += 1
        params = folding.Params(fit.state, fit.converged or count >= estimator.max_passes - 1)


def show_passes(name, times):
    """Print the times of the passes of a fit and, but for the final one, their mean."""
    *before, final = times
    mean = sum(before) / len(before)
    each = " ".join(f"{t:.0f}" for t in before)
    print(f"  {name:44s} {mean:6.1f} ns/star and pass ({each}), the final one {final:.0f}: {final / mean:.2f} x")


def optional(name):
    """A module that only the comparison needs, or None."""
    try:
        return import_module(name)
    except ImportError:
        print(f"  ({name} is not installed: left out)")
        return None


def alone(code):
    """What some code prints, run in a process of its own, and the peak of its resident memory in MiB."""
    code = textwrap.dedent(code) + "\nimport resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    *lines, peak = done.stdout.splitlines()
    # Linux counts KiB, macOS bytes.
    return lines, int(peak) / (1024 if sys.platform != "darwin" else 1024**2)


def peak():
    """Peak resident memory of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
