"""`hpp show`: a contact sheet of a data set's labels."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from pipeline.errors import DataError, ParamsError
from pipeline.images import encode_png
from pipeline.overlay import contact_sheet, legend, sample_tiles
from pipeline.shards.manifest import Manifest
from pipeline.shards.read import Shards, open_shards
from pipeline.shards.write import replace_file
from pipeline.taxonomy import LABEL_SETS
from stages.context import Context, pass_context


@click.command()
@click.argument("dataset")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default=None, help="By default the first split.")
@click.option("--sample", "sample_id", default=None, help="One sample, by its id.")
@click.option("--count", type=click.IntRange(1, 40), default=6, show_default=True, help="Samples on the sheet.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="PNG to write; DATASET.png if not given.",
)
@pass_context
def show(
    context: Context, dataset: str, split: str | None, sample_id: str | None, count: int, out: Path | None
) -> None:
    """Show DATASET's samples with all their labels: image, parts, edges, joints, heatmaps."""
    section = context.params.dataset(dataset)
    if split is not None and split not in section.splits:
        raise ParamsError(f"--split {split}: {dataset} has {', '.join(section.splits)}")
    folder = context.paths.stage("shards", dataset)
    for name in [split] if split else section.splits:
        shards = open_shards(folder / name)
        chosen = _choose(shards, sample_id, count)
        if chosen:
            break
    else:
        searched = ", ".join([split] if split else section.splits)
        if sample_id:
            raise DataError(f"{folder}: no sample {sample_id!r} in {searched}. Ids stand in its shards")
        raise DataError(f"{folder}: nobody in {searched}. outcomes.jsonl of {dataset}'s crops tells why")
    target = out or Path(f"{dataset}.png")
    replace_file(target, encode_png(draw_sheet(shards, chosen)))
    context.say(f"{target}: {len(chosen)} of {len(shards)} {shards.manifest.split} samples of {dataset}")


def draw_sheet(shards: Shards, chosen: list[int]) -> np.ndarray:
    """(H, W, 3) uint8 RGB contact sheet of the chosen samples, with a legend of the classes below."""
    manifest = shards.manifest
    label_set, keypoint_set = manifest.parts or LABEL_SETS["person"], manifest.keypoints
    drawn = Manifest.read(shards.folder / manifest.links["heatmaps"]["path"]).parameters
    rows = []
    for index in chosen:
        sample = shards[index]
        tiles = sample_tiles(
            sample, label_set, keypoint_set, shards.heatmaps(index), drawn["stride"], drawn["convention"]
        )
        rows.append((sample.sample_id, tiles))
    sheet = contact_sheet(rows)
    return np.concatenate([sheet, legend(label_set, sheet.shape[1])])


def _choose(shards: Shards, sample_id: str | None, count: int) -> list[int]:
    """The named sample, or `count` spread evenly over the split."""
    if sample_id is not None:
        return [index for index, sample in enumerate(shards) if sample.sample_id == sample_id][:1]
    count = min(count, len(shards))
    return [int(index) for index in np.linspace(0, len(shards) - 1, count).round()] if count else []
