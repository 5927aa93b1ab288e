"""Run the benchmarks and write their pages: what `make bench` and `make soak` do.

    python benchmarks/run.py bench      half an hour at most on two cores
    python benchmarks/run.py soak       the long ones: memory over 20,000 people, kills, networks' memory
    python benchmarks/run.py pages      docs/performance.md and docs/scale.md from benchmarks/results/*.json

Each script runs in a process of its own, one after the other, and writes its JSON and its part of the table; then both pages are
written anew. Ends with 1 where a script failed; a missed target is told in the table and is no failure.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

import capacity
import performance_page
from measuring import ROOT

SUITES = {
    "bench": ("labels", "encodings", "loader", "metrics", "attention", "dynamic_convolution", "network",
              "data_stages", "appending"),
    "soak": ("memory", "kills", "teachers", "predict"),
    "pages": (),
}  # fmt: skip
"""Scripts of benchmarks/, in the order in which they run."""


def main() -> None:
    """Run a suite, then write the pages."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("suite", choices=SUITES)
    failed = []
    # Libraries' own threads would hide what one core does; scripts that measure with more say so themselves.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    for name in SUITES[options.parse_args().suite]:
        begin = time.perf_counter()
        print(f"\n{name}", flush=True)
        if subprocess.run([sys.executable, ROOT / f"benchmarks/{name}.py"], cwd=ROOT, env=environment).returncode:
            failed.append(name)
        print(f"{name}: {time.perf_counter() - begin:.0f} s", flush=True)
    performance_page.main()
    capacity.main()
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
