"""The papers' ablations in small: which factor helps, on the sample set, with small networks, three seeds each.

    python benchmarks/ablations.py                         after `make repro`; about 45 minutes on two cores
    python benchmarks/ablations.py --rows P PB --seeds 1   only those runs; the page is written once all have been made

Every run trains with params.yaml's settings, changed by what stands in FAMILIES, and is judged on the validation split after its
last epoch. The epochs are chosen so that a run takes three minutes at most on two quiet cores; its seconds are kept beside its
score. A run that is finished is kept in data/scratch/ablations and not repeated as long as its parameters, the shards and the
versions are the same; one that was killed goes on after its last epoch. With all rows and seeds it writes
benchmarks/results/ablations.json and docs/ablations.md, as found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from pipeline.params import Params, load_params
from pipeline.shards.read import open_shards
from pipeline.shards.write import write_whole
from trainer import __version__
from trainer.engine import train

RESULT = Path("benchmarks/results/ablations.json")
PAGE = Path("docs/ablations.md")
SCRATCH = Path("data/scratch/ablations")
SEEDS = (1, 2, 3)


class Family(NamedTuple):
    """Rows that are compared with each other.

    Attributes:
        title: of its table.
        settings: what params.yaml's values are replaced by, as `hpp --set` takes them.
        rows: the papers' name of a row -> model, mIoU and PCK published for LIP's real validation set.
    """

    title: str
    settings: tuple[str, ...]
    rows: Mapping[str, tuple[str, str, str]]


FAMILIES = (
    Family(
        "CorrPM, Table 5",
        ("train.epochs=4", "train.validate_every=4", "train.input_size=[128, 80]"),
        {
            "P": ("corrpm-p", "48.67", "–"),
            "P+B": ("corrpm-p+b", "51.27", "–"),
            "P+K": ("corrpm-p+k", "50.79", "–"),
            "P+B+K": ("corrpm-p+b+k", "51.93", "–"),
            "PB": ("corrpm-pb", "53.11", "–"),
            "PK": ("corrpm-pk", "53.98", "–"),
            "CorrPM": ("corrpm", "55.33", "–"),
        },
    ),
    Family(
        "MuLA, Table 1",
        ("train.epochs=3", "train.validate_every=3", "train.input_size=[200, 120]"),
        {
            "VGG16-FCN": ("vgg16-fcn", "34.5", "69.1"),
            "VGG16-FCN-MTL": ("vgg16-fcn-mtl", "31.2", "65.3"),
            "VGG16-FCN-MuLA": ("vgg16-fcn-mula", "40.2", "76.0"),
        },
    ),
)


class Run(NamedTuple):
    """A finished run: percent on the validation split (PCKh None without a pose head), and how long it took."""

    mean_iou: float
    pckh: float | None
    seconds: float


def run_once(params: Params, shards: Path, scratch: Path) -> Run:
    """The run of these parameters; from the scratch folder where it is finished already."""
    kept = scratch / f"{params.train.model}-{params.seed}-{fingerprint(params, shards)}.json"
    if kept.is_file():
        return Run(**json.loads(kept.read_text(encoding="utf-8")))
    begun = time.monotonic()
    last = train(params, shards, kept.with_suffix(".pt"), scratch / "unfinished")
    kept.with_suffix(".pt").unlink()
    run = Run(last["val_mean_iou"], last.get("val_pckh_mean"), round(time.monotonic() - begun, 1))
    write_whole(kept, json.dumps(run._asdict()).encode())
    return run


def fingerprint(params: Params, shards: Path) -> str:
    """Of all that a run's result depends on."""
    manifests = [
        [entry.sha256 for entry in open_shards(shards / name / split).manifest.shards]
        for name in params.train.datasets
        for split in ("train", "val")
    ]
    decisive = params.model_dump(mode="json", include={"seed", "train", "heatmaps", "edges"})
    content = [decisive, manifests, __version__, torch.__version__]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Mean ± standard deviation of a sample, the latter only of two values or more."""
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def table(family: Family, runs: Mapping[tuple[str, int], Run]) -> str:
    """Markdown: the family's rows with what has been found of each."""
    lines = [
        "| row | `train.model` | mIoU here | PCKh here | seeds | longest run, s | published mIoU | published PCK |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row, (model, published_iou, published_pck) in family.rows.items():
        found = [run for (name, _), run in runs.items() if name == row]
        if found:
            pckh = [run.pckh for run in found if run.pckh is not None]
            lines.append(
                f"| {row} | `{model}` | {spread([run.mean_iou for run in found])} | {spread(pckh, 1) if pckh else '–'} "
                f"| {len(found)} | {max(run.seconds for run in found):.0f} | {published_iou} | {published_pck} |"
            )
    return "\n".join(lines)


def orders(family: Family, runs: Mapping[tuple[str, int], Run]) -> str:
    """Two lines: the rows by rising mean mIoU here, and by rising published mIoU."""
    here = {row: statistics.mean(run.mean_iou for (name, _), run in runs.items() if name == row) for row in family.rows}
    published = {row: float(values[1]) for row, values in family.rows.items()}
    return "\n".join(
        f"- {where}: {' < '.join(sorted(scores, key=scores.__getitem__))}"
        for where, scores in (("Here", here), ("Published", published))
    )


def page(runs: Mapping[tuple[str, int], Run], settings: str) -> str:
    """docs/ablations.md."""
    parts = [
        "# Ablations on the sample set",
        "Written by `benchmarks/ablations.py`, as found. Each row is trained from random weights on the drawn sample people "
        f"(`make repro`'s LIP shards), once for each of the seeds {', '.join(map(str, SEEDS))}, for at most a few minutes on two "
        "cores, and judged on the sample's validation split: mean ± standard deviation over the seeds, in percent. **The columns "
        "of published scores are the papers'**, of full networks trained on the real LIP for days; only the order of their rows can "
        "be compared with the order here, and no score with another. Seconds are by the clock, whatever else the machine had to do.",
        f"Settings: {settings}.",
    ]
    for family in FAMILIES:
        parts += [f"## {family.title}", table(family, runs), "By rising mIoU:", orders(family, runs)]
    return "\n\n".join(parts) + "\n"


def described(params: Params) -> str:
    """The settings that all rows share, in words."""
    settings = params.train
    own = "; ".join(f"{family.title}: {', '.join(family.settings)}" for family in FAMILIES)
    return (
        f"backbone `{settings.backbone}` (CorrPM's rows), {settings.channels} channels, batches of {settings.batch_size}, "
        f"{settings.optimizer} at {settings.lr}; {own}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = [row for family in FAMILIES for row in family.rows]
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--shards", type=Path, default=Path("data/shards"))
    parser.add_argument("--rows", nargs="+", choices=names, default=names, metavar="ROW", help=", ".join(names))
    parser.add_argument("--seeds", nargs="+", type=int, choices=SEEDS, default=list(SEEDS))
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    chosen = parser.parse_args()
    runs: dict[tuple[str, int], Run] = {}
    for seed in chosen.seeds:
        for family in FAMILIES:
            for row, (model, *_) in family.rows.items():
                if row in chosen.rows:
                    own = (*family.settings, f"train.model={model}", f"seed={seed}", *chosen.overrides)
                    runs[row, seed] = run = run_once(load_params(chosen.params, own), chosen.shards, SCRATCH)
                    print(f"{row}, seed {seed}: mIoU {run.mean_iou:.2f} in {run.seconds:.0f} s", flush=True)
    for family in FAMILIES:
        print(f"\n{family.title}\n{table(family, runs)}")
    if chosen.overrides or len(runs) < len(names) * len(SEEDS):
        print(f"\nNot all rows and seeds as they are: {PAGE} is left as it was")
        return
    params = load_params(chosen.params)
    found: dict[str, Any] = {f"{row}, seed {seed}": run._asdict() for (row, seed), run in sorted(runs.items())}
    machine = {"cpu": platform.processor() or platform.machine(), "torch": torch.__version__}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_whole(RESULT, (json.dumps({"machine": machine, "runs": found}, indent=1) + "\n").encode())
    write_whole(PAGE, page(runs, described(params)).encode())


if __name__ == "__main__":
    main()
