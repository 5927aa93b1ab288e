"""How fast are crop and pose, and does their memory stay flat over the data set?

    python benchmarks/teachers.py [--images 200 2000]

Draws CIHP scenes, ingests them, and runs `hpp crop` and `hpp pose` with the committed sample teachers, each in a process of
its own that starts with nothing kept. A core is busy for the process's user and system time, so images per second and core
are images over that time: other work on the machine changes it little. The start (imports, loading the teacher) is in both
runs and drops out of the difference between them, which the table calls "further images". Peak memory is the process's
largest resident set, its libraries included. Fails where the largest run's peak is over 1.1 times the smallest one's. Writes
benchmarks/results/teachers.json and prints the table; about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from measuring import ROOT, Line, write
from processes import hpp

DATASET = "cihp"
STAGES = ("crop", "pose")
MOST_GROWTH = 1.1


def measure(images: int) -> dict[str, Any]:
    """Draw that many scenes and run the stages on them."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "models").mkdir()
        for teacher in ("detector", "pose"):
            shutil.copyfile(ROOT / f"presets/teachers/{teacher}.safetensors", project / f"models/{teacher}.safetensors")
        settings = {f"datasets.{DATASET}.images": f"{{train: {images}}}", f"datasets.{DATASET}.splits": "[train]"}
        for stage in ("download", "ingest"):
            hpp(project, settings, stage, DATASET)
        stages = {stage: asdict(hpp(project, settings, stage, DATASET)) for stage in STAGES}
        people = json.loads((project / f"metrics/crop/{DATASET}.json").read_text())["train"]["people"]
    return {"images": images, "people": people, "stages": stages}


def compare(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Per stage: rates of the largest run, of the images that it has more than the smallest, and the growth of memory."""
    small, large = runs[0], runs[-1]
    figures = {}
    for stage in STAGES:
        few, many = small["stages"][stage], large["stages"][stage]
        more = {key: large[key] - small[key] for key in ("images", "people")}
        core_seconds = many["core_seconds"] - few["core_seconds"]
        figures[stage] = {
            "images per second and core": large["images"] / many["core_seconds"],
            "images per second": large["images"] / many["seconds"],
            "further images per second and core": more["images"] / core_seconds,
            "further people per second and core": more["people"] / core_seconds,
            "peak memory, growth": many["peak_mb"] / few["peak_mb"],
        }
    return figures


def main() -> None:
    """Measure, write, print; exit 1 where memory is not flat."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--images", type=int, nargs=2, default=[200, 2000], help="scenes of both runs")
    runs = [measure(images) for images in sorted(options.parse_args().images)]
    figures = compare(runs)
    lines = [
        Line(f"{stage}: {name}", value, "times", MOST_GROWTH, at_most=True)
        if "growth" in name
        else Line(f"{stage}: {name}", value, "/s")
        for stage in STAGES
        for name, value in figures[stage].items()
    ]
    write("teachers", lines, {"runs": runs, "figures": figures})
    if any(line.missed for line in lines):
        sys.exit(f"memory grows with the data set by more than {MOST_GROWTH:.1f}")


if __name__ == "__main__":
    main()
