"""Twenty million rows of Parquet through the Oort fit: time per row and pass, and peak memory."""

import tempfile
from pathlib import Path

import numpy as np
from timing import alone, optional

import astrokin as ak

N, CHUNK = 20_000_000, 1 << 19


def write(path):
    """A file like Gaia's: float64 positions, float32 else, uncompressed, many row groups; written in chunks."""
    import pyarrow as pa
    from pyarrow import parquet

    estimator, writer, left, seed = ak.estimators.OortConstants(), None, N, 0
    while left:
        stars = estimator.simulate(min(CHUNK, left), np.random.default_rng(seed))[0]
        columns = {"source_id": stars["source_id"] + seed * CHUNK, "ra": stars.ra.value, "dec": stars.dec.value}
        for name in ("parallax", "pmra", "pmdec", "radial_velocity"):
            columns[name] = getattr(stars, name).value.astype(np.float32)
            columns[f"{name}_error"] = stars.raw.covariance.error(name).astype(np.float32)
        table = pa.table(columns)
        if writer is None:
            writer = parquet.ParquetWriter(path, table.schema, compression="none", use_dictionary=False)
        writer.write_table(table, row_group_size=CHUNK // 2)
        left, seed = left - len(stars), seed + 1
    writer.close()


if optional("pyarrow") is not None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "many.parquet")
        write(path)
        print(f"  {N:.0e} rows, {path.stat().st_size / 2**30:.2f} GiB")
        for options in ("", "use='pm'"):
            lines, memory = alone(f"""
                import time
                import astrokin as ak
                estimator = ak.estimators.OortConstants({options})
                start, busy = time.perf_counter(), time.process_time()
                fit = estimator.fit({str(path)!r})
                taken, busy = time.perf_counter() - start, time.process_time() - busy
                per_row, busy = (t / fit.passes / fit.used * 1e9 for t in (taken, busy))
                print(f"{{taken:.1f}} s, {{fit.passes}} passes, {{per_row:.0f}} ns/row and pass ({{busy:.0f}} of CPU)")
                print(f"A = {{fit['A']:.4f}} ± {{fit.error['A'].value:.4f}}, used {{fit.used}}")
            """)
            print(f"  OortConstants({options}): {lines[0]}; {lines[1]}; peak memory {memory:.0f} MiB")
