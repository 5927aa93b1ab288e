"""`hpp crop`: one record per person, cut out at native resolution."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from pipeline.execution import NO_FILES, Files
from pipeline.params import Dataset, Params
from pipeline.shards.step import ShardReport, Step
from pipeline.steps.crop import Selection, annotated_step, found_step, single_step
from pipeline.steps.cutting import CutRules
from pipeline.steps.inputs import stage_inputs
from pipeline.taxonomy import IGNORE
from stages.context import Context, pass_context
from stages.data_stage import mean, run_data_stage
from stages.exclusive import exclusive


@click.command()
@click.argument("dataset")
@pass_context
@exclusive
def crop(context: Context, dataset: str) -> None:
    """Cut the people of DATASET out of their images."""
    section = context.params.dataset(dataset)
    shards = stage_inputs([context.paths.stage("ingest", dataset)], section.splits)
    step, files = _step(context, section)
    reports = run_data_stage(
        context, dataset, section, step, shards, out="crops", kind="crops", keypoint_set=section.keypoints, files=files
    )
    context.write_metrics("crop", dataset, {split: _figures(report) for split, report in reports.items()})
    told = ", ".join(
        f"{report.records} people in {report.counts['images']} {split} images" for split, report in reports.items()
    )
    context.say(f"crop {dataset}: {told}")


def _step(context: Context, section: Dataset) -> tuple[Step, Files]:
    """The step, and what it reads beside its shards."""
    params = context.params
    row_group = params.shards.row_group
    if section.people == "single":
        return single_step(row_group), NO_FILES
    if params.detector.backend == "annotated":
        return annotated_step(cut_rules(params), row_group), NO_FILES
    from pipeline.detection.loading import load_detector  # torch, which the other ways do without
    from pipeline.steps.detecting import RawPeople

    weights = context.paths.model("detector.safetensors")
    load = partial(load_detector, weights)
    raw_people = RawPeople(load(), context.paths.scratch, load)
    selection = Selection(params.detector.score, params.detector.mask_nms)
    step = found_step(cut_rules(params), selection, raw_people, row_group)
    return step, Files(shared=(weights,), kept=(raw_people.folder,))


def cut_rules(params: Params) -> CutRules:
    """How people are cut out, as params.yaml has it."""
    label: int = 0 if params.crop.others == "black" else IGNORE
    if params.crop.others_label is not None:
        label = params.crop.others_label
    return CutRules(
        others=params.crop.others, others_label=label, min_area=params.crop.min_area, expand=params.crop.expand
    )


def _figures(report: ShardReport) -> dict[str, Any]:
    counts = report.counts
    figures: dict[str, Any] = {
        "images": counts["images"],
        "people": report.records,
        "people_per_image": mean(report.records, counts["images"]),
        "small": counts["small"],
        "outcomes": len(report.outcomes),
        "rejects": len(report.rejects),
    }
    if "detections" in counts:
        figures["detections"] = counts["detections"]
    if "unseen" in counts:
        figures["unseen"] = counts["unseen"]
    if "matched" in counts:
        figures |= {name: counts[name] for name in ("matched", "missed", "box_only", "false", "ignored", "doubles")}
        figures |= {
            "false_share": mean(counts["false"], counts["matched"] + counts["false"]),
            "double_share": mean(counts["doubles"], counts["detections"]),
        }
    if "box_iou_sum" in counts:
        figures["box_iou"] = mean(counts["box_iou_sum"], counts["box_matched"])
    if "iou_sum" in counts:
        figures["mask_iou"] = mean(counts["iou_sum"], counts["mask_matched"])
        figures["large_people_found"] = mean(counts["large_found"], counts["large"])
    return figures
