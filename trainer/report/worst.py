"""The report's sixth section: the worst predictions first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import DataError
from pipeline.images import decode_map
from pipeline.shards.read import read_rows
from pipeline.taxonomy import keypoint_set, label_set
from trainer.data.samples import ParsingSamples
from trainer.evaluate import split_hash
from trainer.report.gallery import part_legend
from trainer.report.html import Html, element, join, section
from trainer.report.inputs import ReportInputs
from trainer.report.layers import image_tile, mask_layer, place
from trainer.report.sheets import SheetGrid, sheet_style, stack, write_sheets

COUNT = 12


@dataclass(frozen=True)
class Judged:
    """A prediction's place in the split, and its scores in percent."""

    index: int
    file: Path
    row: int
    sample_id: str
    pixel_accuracy: float
    mean_iou: float


def worst_section(inputs: ReportInputs, folder: Path) -> Html:
    """Image, truth and prediction of the samples with the lowest mean IoU; sheets are written into `folder`.

    Raises:
        DataError: the predictions are missing, or were made on other shards.
    """
    samples = _judged_samples(inputs)
    judged = read_judged(inputs.predictions)
    if len(judged) != len(samples):
        raise DataError(
            f"{inputs.predictions}: {len(judged)} predictions for {len(samples)} samples. Run `hpp evaluate` again"
        )
    worst = sorted((one for one in judged if one.mean_iou == one.mean_iou), key=lambda one: (one.mean_iou, one.index))
    worst = worst[:COUNT]
    if not worst:
        return section("worst", "Worst predictions", element("p", "No sample has a pixel to be judged by."))
    files = write_sheets(folder, "worst", _tiles(samples, worst))
    grid = SheetGrid(len(worst))
    cards = [_card(grid, place, one) for place, one in enumerate(worst)]
    told = f"The {len(worst)} people with the lowest mean IoU of {len(judged)}, the lowest first: image, truth, prediction."
    return section(
        "worst",
        "Worst predictions",
        element("p", told),
        part_legend(samples.label_set),
        element("ol", join(cards), class_="worst", style=sheet_style(grid, files)),
    )


def read_judged(folder: Path) -> list[Judged]:
    """Every prediction's scores, in the order of the split.

    Raises:
        DataError: there are no predictions, or they are damaged.
    """
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise DataError(f"{folder}: no predictions there. Run `hpp evaluate` or `dvc repro` first")
    judged: list[Judged] = []
    for file in files:
        for row, scores in enumerate(read_rows(file, ["sample_id", "pixel_accuracy", "mean_iou"])):
            judged.append(Judged(len(judged), file, row, **scores))
    return judged


def _judged_samples(inputs: ReportInputs) -> ParsingSamples:
    """The samples that were judged, their masks in the model's label set."""
    protocol = inputs.metric("evaluate")["protocol"]
    folders = [inputs.shards / name / protocol["split"] for name in protocol["datasets"]]
    settings = inputs.params.train
    joints = keypoint_set(settings.keypoint_set)
    samples = ParsingSamples(folders, label_set(settings.label_set), joints, settings.label_maps)
    if split_hash(samples) != protocol["split_sha256"]:
        told = ", ".join(map(str, folders))
        raise DataError(f"{told}: not the shards that metrics/evaluate.json was measured on. Run `hpp evaluate` again")
    return samples


def _tiles(samples: ParsingSamples, worst: list[Judged]) -> dict[str, list[np.ndarray | None]]:
    tiles: dict[str, list[np.ndarray | None]] = {"image": [], "truth": [], "prediction": []}
    for one in worst:
        sample = samples[one.index]
        if sample.sample_id != one.sample_id:
            raise DataError(
                f"{one.file}: row {one.row} is {one.sample_id!r}, the shards have {sample.sample_id!r} there. "
                "Run `hpp evaluate` again"
            )
        image = sample.decode_image()
        placement = place(*image.shape[:2])
        answer = decode_map(read_rows(one.file, ["mask"])[one.row]["mask"], f"prediction of {one.sample_id}")
        tiles["image"].append(image_tile(image, placement))
        tiles["truth"].append(mask_layer(samples.mask(one.index, sample), samples.label_set, placement))
        tiles["prediction"].append(mask_layer(answer, samples.label_set, placement))
    return tiles


def _card(grid: SheetGrid, place_: int, one: Judged) -> Html:
    scores = f"mean IoU {one.mean_iou:.1f} %, {one.pixel_accuracy:.1f} % of the pixels right"
    views = [
        element("figure", stack(grid, place_, layers, f"{one.sample_id}: {title}"), element("figcaption", title))
        for title, layers in (("image", ["image"]), ("truth", ["image", "truth"]), ("prediction", ["image", "prediction"]))
    ]  # fmt: skip
    return element("li", element("p", element("b", one.sample_id), f" {scores}"), element("div", *views))
