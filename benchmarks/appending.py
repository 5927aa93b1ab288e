"""How many shards are made anew when a set gets one image in a hundred more?

    python benchmarks/appending.py [--people 5000]

Runs all data stages on a LIP set of drawn people, then on the same set with a hundredth more at the end of its list, in the
same project, and counts the shards that were made in the second run. Writes benchmarks/results/appending.json; three minutes on two
cores.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from crowds import write_crowd
from measuring import ROOT, Line, write
from processes import hpp

STAGES = ("ingest", "crop", "edges", "pose", "heatmaps", "shard")


def made(project: Path, stage: str) -> set[str]:
    """Keys of the shards that scratch holds."""
    return {path.name for path in (project / "data/scratch" / stage).glob("[!.]*.json")}


def main() -> None:
    """Draw, run twice, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--people", type=int, default=5000)
    people = options.parse_args().people
    before: dict[str, set[str]] = {}
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        shutil.copytree(ROOT / "presets/teachers", project / "models", ignore=shutil.ignore_patterns("*.py", "*.json"))
        for count in (people, people + people // 100):
            source = Path(folder) / f"source{count}"
            write_crowd("lip", source, count)
            settings = {"datasets.lip.source": source, "datasets.lip.splits": "[train]"}
            hpp(project, settings, "download", "lip")
            for stage in STAGES:
                hpp(project, settings, stage, "lip")
                if count == people:
                    before[stage] = made(project, stage)
                    continue
                shards = len(list((project / "data").glob(f"{_out(stage)}/lip/train/*-0*")))
                share = len(made(project, stage) - before[stage]) / shards
                lines.append(Line(f"{stage}: shards made anew for 1 % more images", 100 * share, "%", 3, at_most=True))
    write("appending", lines, {"people": people, "shards": {stage: len(keys) for stage, keys in before.items()}})


def _out(stage: str) -> str:
    return {"crop": "crops", "shard": "shards"}.get(stage, stage)


if __name__ == "__main__":
    main()
