"""The report's fifth section: samples of every split, their labels to be switched on and off."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.overlay import LEFT, MIDDLE, RIGHT
from pipeline.records import Sample
from pipeline.shards.manifest import Manifest
from pipeline.shards.read import Shards
from pipeline.taxonomy import IGNORE, LabelSet
from trainer.report.html import Html, element, join, section
from trainer.report.inputs import ReportInputs
from trainer.report.layers import edge_layer, heatmap_layer, image_tile, joint_layer, mask_layer, place
from trainer.report.sheets import SheetGrid, sheet_style, stack, write_sheets

PER_SPLIT = 24
TOGGLES = {"mask": "parts", "edges": "edges", "joints": "joints", "heatmaps": "heatmaps"}
"""Layer -> what its switch is called."""
LAYERS = ("image", "mask", "heatmaps", "edges", "joints")
"""From the bottom to the top."""


@dataclass(frozen=True)
class Shown:
    """A sample of the gallery: its tiles by layer, and what is said of it."""

    sample: Sample
    tiles: dict[str, np.ndarray]
    parts: tuple[str, ...]


def gallery_section(inputs: ReportInputs, folder: Path) -> Html:
    """Samples spread evenly over every split; the sheets are written into `folder`, one per layer and data set."""
    by_dataset: dict[str, list[tuple[str, Shards]]] = {}
    for dataset, split, shards in inputs.splits():
        by_dataset.setdefault(dataset, []).append((split, shards))
    blocks = [_dataset_block(dataset, splits, folder) for dataset, splits in by_dataset.items()]
    told = f"Up to {PER_SPLIT} people of every split, spread evenly over it. Switch the labels on and off:"
    return section("gallery", "Gallery", element("p", told), _switches(), _joint_legend(), *blocks)


def spread(count: int, most: int = PER_SPLIT) -> list[int]:
    """At most `most` of `count` positions, evenly spread, the first and the last among them."""
    return [int(index) for index in np.linspace(0, count - 1, min(count, most)).round()] if count else []


def part_legend(labels: LabelSet) -> Html:
    """Each class's colour and name."""
    items = [
        element("li", element("i", style=f"background:rgb{tuple(labels.palette[place].tolist())}"), name)
        for place, name in enumerate(labels.part_names)
        if place
    ]
    return element("ul", join(items), class_="legend", aria_label=f"Colours of label set {labels.name}")


def _dataset_block(dataset: str, splits: list[tuple[str, Shards]], folder: Path) -> Html:
    shown = {split: [_draw(shards, index) for index in spread(len(shards))] for split, shards in splits}
    everyone = [one for drawn in shown.values() for one in drawn]
    if not everyone:
        return element("p", f"{dataset}: no samples.")
    grid = SheetGrid(len(everyone))
    files = write_sheets(
        folder, f"gallery-{dataset}", {layer: [one.tiles.get(layer) for one in everyone] for layer in LAYERS}
    )
    blocks, first = [], 0
    for split, shards in splits:
        cards = [_card(grid, first + place, one, list(files)) for place, one in enumerate(shown[split])]
        first += len(cards)
        blocks.append(element("h4", f"{split}: {len(cards)} of {len(shards)}"))
        blocks.append(element("ul", join(cards), class_="tiles"))
    labels = splits[0][1].manifest.parts
    legend = part_legend(labels) if labels else Html()
    return element("div", element("h3", dataset), legend, *blocks, style=sheet_style(grid, files))


def _draw(shards: Shards, index: int) -> Shown:
    sample: Sample = shards[index]
    manifest = shards.manifest
    image, mask, edge = sample.decode_image(), sample.decode_mask(), sample.decode_edge()
    placement = place(*image.shape[:2])
    tiles, parts = {"image": image_tile(image, placement)}, ()
    labels, joints = manifest.parts, manifest.keypoints
    if mask is not None and labels is not None:
        tiles["mask"] = mask_layer(mask, labels, placement)
        parts = tuple(labels.part_names[value] for value in np.unique(mask) if value not in (0, IGNORE))
    if edge is not None:
        tiles["edges"] = edge_layer(edge, placement)
    if sample.keypoints is not None and joints is not None:
        tiles["joints"] = joint_layer(sample.keypoints, joints, placement)
    if "heatmaps" in manifest.links and sample.to_heatmap_input is not None:
        rules = _heatmap_rules(shards)
        tiles["heatmaps"] = heatmap_layer(shards.heatmaps(index), sample.to_heatmap_input, rules, placement)
    return Shown(sample, tiles, parts)


def _heatmap_rules(shards: Shards) -> dict[str, Any]:
    return Manifest.read(shards.folder / shards.manifest.links["heatmaps"]["path"]).parameters


def _card(grid: SheetGrid, index: int, shown: Shown, layers: list[str]) -> Html:
    sample = shown.sample
    joints = _told_joints(sample)
    told = f"{sample.sample_id}: {', '.join(shown.parts) or 'no parts'}; {joints}"
    caption = element("figcaption", element("b", sample.sample_id), f"{sample.width} × {sample.height}, {joints}")
    return element("li", element("figure", stack(grid, index, layers, told), caption))


def _told_joints(sample: Sample) -> str:
    """How many joints it has, and from whom."""
    if sample.keypoints is None:
        return "no joints"
    present = sample.keypoints[:, 2] > 0
    origins = sample.keypoint_origin or ("",) * len(present)
    counted = Counter(
        "annotated" if origin in ("annotated", "") else "pseudo"
        for origin, there in zip(origins, present, strict=True)
        if there
    )
    return ", ".join(f"{counted[kind]} {kind}" for kind in sorted(counted)) + " joints" if counted else "0 joints"


def _switches() -> Html:
    boxes = [
        element(
            "label",
            element("input", type="checkbox", data_layer=layer, checked=layer == "mask", autocomplete="off"),
            element("span", name),
        )
        for layer, name in TOGGLES.items()
    ]
    return element("fieldset", element("legend", "Layers"), *boxes, class_="switches")


def _joint_legend() -> Html:
    items = [
        element("li", element("i", style=f"background:rgb{colour};border-radius:50%"), name)
        for name, colour in (("the person's own left", LEFT), ("own right", RIGHT), ("no side", MIDDLE))
    ]
    ring = element("li", element("i", class_="ring"), "occluded")
    return element("ul", *items, ring, class_="legend", aria_label="Colours of the joints")
