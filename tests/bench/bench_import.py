"""Import time of the package on top of numpy's."""

from timing import alone

CODE = """
    import sys, time
    import numpy
    start = time.perf_counter()
    import astrokin
    print(time.perf_counter() - start)
    start = time.perf_counter()
    astrokin.estimator("oort-constants")
    print(time.perf_counter() - start)
    print("astropy.coordinates" in sys.modules)
"""
runs = [alone(CODE) for _ in range(5)]
times = [float(lines[0]) for lines, _ in runs]
look_up = [float(lines[1]) for lines, _ in runs]
print(f"  import astrokin, after numpy      {min(times):.3f} s (slowest of 5: {max(times):.3f} s)")
print(f"  first look-up in the registry     {min(look_up):.3f} s")
print(f"  peak memory                       {min(memory for _, memory in runs):.0f} MiB")
print(f"  astropy.coordinates imported      {runs[0][0][2]}")
