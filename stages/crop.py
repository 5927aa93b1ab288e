"""`hpp crop`: one record per person, cut out at native resolution."""

from __future__ import annotations

from typing import Any

import click

from pipeline.params import Params
from pipeline.shards.step import ShardReport
from pipeline.steps.crop import CropRules, crop_step
from pipeline.steps.inputs import stage_inputs
from pipeline.taxonomy import IGNORE
from stages.context import Context, pass_context
from stages.data_stage import mean, run_data_stage


@click.command()
@click.argument("dataset")
@pass_context
def crop(context: Context, dataset: str) -> None:
    """Cut the people of DATASET out of their images."""
    params, section = context.params, context.params.dataset(dataset)
    detector = None
    if section.people == "many" and params.detector.backend != "annotated":
        from pipeline.detection.loading import load_detector  # torch, which the other ways do without

        detector = load_detector(context.paths.model("detector.safetensors"))
    step = crop_step(section.people, _rules(params), detector, params.shards.row_group)
    shards = stage_inputs([context.paths.stage("ingest", dataset)], section.splits)
    reports = run_data_stage(
        context, dataset, section, step, shards, out="crops", kind="crops", keypoint_set=section.keypoints
    )
    context.write_metrics("crop", dataset, {split: _figures(report) for split, report in reports.items()})
    told = ", ".join(
        f"{report.records} people in {report.counts['images']} {split} images" for split, report in reports.items()
    )
    context.say(f"crop {dataset}: {told}")


def _rules(params: Params) -> CropRules:
    label: int = 0 if params.crop.others == "black" else IGNORE
    if params.crop.others_label is not None:
        label = params.crop.others_label
    return CropRules(
        others=params.crop.others,
        others_label=label,
        min_area=params.crop.min_area,
        expand=params.crop.expand,
        score=params.detector.score,
        mask_nms=params.detector.mask_nms,
    )


def _figures(report: ShardReport) -> dict[str, Any]:
    counts = report.counts
    figures: dict[str, Any] = {
        "images": counts["images"],
        "people": report.records,
        "people_per_image": mean(report.records, counts["images"]),
        "outcomes": len(report.outcomes),
        "rejects": len(report.rejects),
    }
    if "matched" in counts:
        figures |= {
            "matched": counts["matched"],
            "missed": counts["missed"],
            "false": counts["false"],
            "false_share": mean(counts["false"], counts["matched"] + counts["false"]),
            "large_people_found": mean(counts["large_found"], counts["large"]),
        } | (
            {"box_iou": mean(counts["box_iou_sum"], counts["matched"])}
            if "box_iou_sum" in counts
            else {"mask_iou": mean(counts["iou_sum"], counts["matched"])}
        )
    return figures
