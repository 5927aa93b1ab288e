"""Does a data stage's memory grow with the data set?

    python benchmarks/memory.py [--people 2000 20000]

Draws LIP (single people) and CIHP (several to a scene, cut by the annotated teacher) sets, 200 scenes of which differ and the
others repeat their bytes under other names, and runs every data stage on both sizes in a process of its own with two workers. Peak
memory is the largest resident set of the process plus that of each worker at its own peak, pages that they share counted for
each. Networks are measured by benchmarks/teachers.py. Writes benchmarks/results/memory.json; half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from crowds import write_crowd
from measuring import ROOT, Line, write
from processes import hpp

STAGES = {
    "lip": ("download", "ingest", "crop", "edges", "pose", "heatmaps", "shard"),
    "cihp": ("download", "ingest", "crop", "edges"),
}
PEOPLE_PER_SCENE = {"lip": 1.0, "cihp": 2.9}
MOST_GROWTH, MOST_MB = 1.1, 2000


def measure(dataset: str, people: int) -> dict[str, Any]:
    """What each stage takes on so many people."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        shutil.copytree(ROOT / "presets/teachers", project / "models", ignore=shutil.ignore_patterns("*.py", "*.json"))
        write_crowd(dataset, project / "source", round(people / PEOPLE_PER_SCENE[dataset]))
        settings = {
            f"datasets.{dataset}.source": project / "source",
            f"datasets.{dataset}.splits": "[train]",
            "detector.backend": "annotated",
            "executor.workers": 2,
        }
        stages = {}
        for stage in STAGES[dataset]:
            stages[stage] = asdict(hpp(project, settings, stage, dataset))
            print(f"{dataset} {people} {stage}: {stages[stage]}", flush=True)
        figures = json.loads((project / f"metrics/crop/{dataset}.json").read_text(encoding="utf-8"))["train"]
        folders = {path.parent.parent.name: path.parent for path in project.glob(f"data/*/{dataset}/train")}
        sizes = {
            name: sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            for name, path in folders.items()
        }
        raw = sum(path.stat().st_size for path in (project / "data/raw" / dataset).iterdir())
        edges = json.loads((project / f"metrics/edges/{dataset}.json").read_text(encoding="utf-8"))["train"]
    return {
        "people": figures["people"],
        "images": figures["images"],
        "pixels": edges["edge_pixels_per_mask"] / edges["edge_share"],
        "stages": stages,
        "bytes": sizes | {"raw": raw},
    }


def main() -> None:
    """Draw, measure, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, nargs=2, default=[2000, 20000])
    few, many = sorted(options.parse_args().people)
    runs = {dataset: [measure(dataset, people) for people in (few, many)] for dataset in STAGES}
    lines = []
    for dataset, (small, large) in runs.items():
        for stage in STAGES[dataset]:
            before, after = small["stages"][stage]["peak_mb"], large["stages"][stage]["peak_mb"]
            what = f"{stage} {dataset}"
            lines.append(
                Line(
                    f"{what}: peak memory of {many} people beside that of {few}",
                    after / before,
                    "times",
                    MOST_GROWTH,
                    True,
                )
            )
            lines.append(Line(f"{what}: peak memory of {many} people", after, "MB", MOST_MB, True))
    write("memory", lines, runs)


if __name__ == "__main__":
    main()
