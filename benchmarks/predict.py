"""How fast is `hpp predict` on photos of several people, and does its memory stay flat over a large folder?

    python benchmarks/predict.py [--photos 100 500] [--weights models/parser.pt]

Draws scenes in CIHP's manner as JPEG files, and runs `hpp predict` over the smaller and over the larger folder, each in a
process of its own with the committed sample teachers: people found, cut out, parsed and put back, maps, pictures and JSON
written. The start (imports, loading the networks) is in both runs and drops out of the difference between them, the "further
photos". Without trained weights the network of params.yaml has drawn ones: it computes as much. Peak memory is the process's
largest resident set, its libraries included. Writes benchmarks/results/predict.json; about six minutes on two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

from measuring import ROOT, Line, write
from processes import hpp

from pipeline.datasets.sample.archives import write_archives
from pipeline.params import load_params
from pipeline.shards.manifest import sha256_of
from trainer.checkpoints import write_model
from trainer.engine.training import fresh_network, make_card

MOST_GROWTH = 1.1


@dataclass(frozen=True)
class Run:
    """What one process took.

    Attributes:
        photos, people: that it went through.
        seconds: by the clock.
        core_seconds: user and system time of all its threads.
        peak_mb: largest resident set.
    """

    photos: int
    people: int
    seconds: float
    core_seconds: float
    peak_mb: float


def draw_photos(folder: Path, count: int) -> Path:
    """A folder of that many JPEGs; a larger one begins with the photos of a smaller one."""
    photos = folder / f"photos-{count}"
    photos.mkdir()
    (archive,) = write_archives("cihp", folder / f"archive-{count}", {"train": count}, 7, len(os.sched_getaffinity(0)))
    with zipfile.ZipFile(archive) as members:
        for name in members.namelist():
            if name.endswith(".jpg"):
                (photos / Path(name).name).write_bytes(members.read(name))
    return photos


def predict(photos: Path, weights: Path, folder: Path) -> Run:
    """Run the command on a folder of photos, in a project without teachers of its own."""
    out = folder / f"out-{photos.name}"
    usage = hpp(folder, {}, "predict", str(photos), "--weights", str(weights), "--out", str(out))
    content = json.loads((out / "people.json").read_text(encoding="utf-8"))
    return Run(len(content["images"]), len(content["annotations"]), usage.seconds, usage.core_seconds, usage.peak_mb)


def compare(few: Run, many: Run) -> list[Line]:
    """Rates of the larger run and of the photos that it has more than the smaller one, and the growth of memory."""
    photos, people = many.photos - few.photos, many.people - few.people
    seconds = many.seconds - few.seconds
    note = f"{many.people / many.photos:.1f} people in a photo of 192 to 256 by 256 to 320 pixels"
    return [
        Line(
            f"hpp predict, {many.photos} photos, the start included", many.photos / many.seconds, "photos/s", note=note
        ),
        Line("hpp predict, further photos", photos / seconds, "photos/s"),
        Line("hpp predict, further people", people / seconds, "people/s"),
        Line("hpp predict, further photos", photos / (many.core_seconds - few.core_seconds), "photos per core-s"),
        Line(f"hpp predict, peak memory at {few.photos} photos", few.peak_mb, "MB"),
        Line(f"hpp predict, peak memory at {many.photos} photos", many.peak_mb, "MB"),
        Line("hpp predict, growth of peak memory", many.peak_mb / few.peak_mb, "times", MOST_GROWTH, at_most=True),
    ]


def main() -> None:
    """Measure, write, print; exit 1 where memory is not flat."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--photos", type=int, nargs=2, default=[100, 500], help="in both runs")
    options.add_argument("--weights", type=Path, default=ROOT / "models/parser.pt", help="of the parser")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, weights = Path(name), given.weights.resolve()
        if trained := weights.is_file():
            about = {"weights": sha256_of(weights)}
        else:
            card = make_card(load_params(ROOT / "params.yaml", ()))
            weights, about = folder / "parser.pt", {"weights": "drawn"}
            write_model(weights, card, fresh_network(card, 1).state_dict())
        few, many = (predict(draw_photos(folder, count), weights, folder) for count in sorted(given.photos))
    lines = compare(few, many)
    write("predict", lines, {**about, "trained": trained, "runs": [asdict(few), asdict(many)]})
    if any(line.missed for line in lines):
        sys.exit(f"memory grows with the folder by more than {MOST_GROWTH:.1f}")


if __name__ == "__main__":
    main()
