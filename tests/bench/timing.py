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
