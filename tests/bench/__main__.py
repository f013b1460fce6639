"""Run every ``bench_*.py`` beside this file, or those whose names contain one of the arguments."""

import runpy
import sys
from pathlib import Path

for script in sorted(Path(__file__).parent.glob("bench_*.py")):
    wanted = sys.argv[1:]
    if not wanted or any(word in script.stem for word in wanted):
        print(f"== {script.stem}", flush=True)
        runpy.run_path(str(script), run_name="__main__")
