"""The report's fourth section: how good the labels are, from what every stage measured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.report.findings import findings_table
from trainer.report.html import DASH, Html, bar, element, number, percent, section, size, table
from trainer.report.inputs import ReportInputs
from trainer.report.joints import joints_charts

Column = tuple[str, str, Callable[[Any], str]]
"""Title, key in the stage's metrics, how to write the value."""

STAGES: tuple[tuple[str, str, tuple[Column, ...]], ...] = (
    (
        "ingest",
        "Images as the archives have them",
        (
            ("images", "images", number),
            ("published", "published_images", number),
            ("people", "people", number),
            ("crowds", "crowds", number),
            ("size", "bytes", size),
            ("rejected", "rejects", number),
        ),
    ),
    (
        "crop",
        "People cut out; matched, missed, false and doubles (several detections of one person) are against the annotated people",
        (
            ("images", "images", number),
            ("people", "people", number),
            ("per image", "people_per_image", number),
            ("matched", "matched", number),
            ("missed", "missed", number),
            ("false", "false", number),
            ("doubles", "doubles", number),
            ("too small", "small", number),
            ("false share", "false_share", percent),
            ("large people found", "large_people_found", percent),
            ("mask IoU", "mask_iou", percent),
            ("box IoU", "box_iou", percent),
            ("left out", "outcomes", number),
            ("rejected", "rejects", number),
        ),
    ),
    (
        "pose",
        "Joints of the people",
        (
            ("people", "people", number),
            ("annotated joints", "annotated_joints", number),
            ("joints by the teacher", "pseudo_joints", number),
            ("per person", "joints_per_person", number),
            ("mean confidence", "mean_confidence", number),
        ),
    ),
    (
        "edges",
        "Edges between parts",
        (
            ("masks", "masks", number),
            ("edge pixels per mask", "edge_pixels_per_mask", number),
            ("share of all pixels", "edge_share", percent),
        ),
    ),
    (
        "heatmaps",
        "Heatmaps",
        (("samples", "samples", number), ("drawn joints per sample", "drawn_joints_per_sample", number)),
    ),
    (
        "shard",
        "Shards",
        (("samples", "samples", number), ("size", "bytes", size), ("ignored pixels", "ignored_share", percent)),
    ),
)


_DETECTOR_SCORES = {
    "mask_ap": "mask AP",
    "mask_ap50": "mask AP at IoU 0.5",
    "recall": "large people found",
    "false_share": "false among those found",
    "mask_iou": "mask IoU of matched people",
}
_POSE_SCORES = {"oks_ap": "OKS AP", "oks_ap50": "OKS AP at 0.5"}


def labels_section(inputs: ReportInputs) -> Html:
    """What the gate found, a table per stage with a row per split, the teachers' scores, joints per person, and how the classes share the pixels."""
    tables = [_stage_table(inputs, *stage) for stage in STAGES]
    return section(
        "labels",
        "Label quality",
        tables[0],
        findings_table(inputs),
        tables[1],
        _teachers(inputs),
        tables[2],
        joints_charts(inputs),
        *tables[3:],
        element("div", *(_class_shares(inputs, dataset) for dataset in inputs.params.datasets), class_="columns"),
    )


def _stage_table(inputs: ReportInputs, stage: str, caption: str, columns: tuple[Column, ...]) -> Html:
    """The stage's figures by data set and split, without columns that nothing fills."""
    figures: dict[str, dict[str, Any]] = {}
    for dataset, settings in inputs.params.datasets.items():
        measured = inputs.metric(stage, dataset)
        figures |= {f"{dataset}\u00a0{split}": measured.get(split, {}) for split in settings.splits}
    shown = [column for column in columns if any(row.get(column[1]) is not None for row in figures.values())]
    rows = [[name, *(_written(row.get(key), write) for _, key, write in shown)] for name, row in figures.items()]
    return table(caption, ["split", *(title for title, _, _ in shown)], rows)


def _teachers(inputs: ReportInputs) -> Html:
    """What the detector and the pose estimator in force score on people whom they were not fitted on."""
    detector, pose = inputs.metric("fit_detector"), inputs.metric("fit_pose")
    fitting = inputs.params.detector.fit.dataset, inputs.params.pose.fit.dataset
    rows = [
        _teacher_row(f"{teacher}: {title}", measured.get("val", {}), key, f"{dataset} val", measured)
        for teacher, measured, dataset, scores in (
            ("detector", detector, fitting[0], _DETECTOR_SCORES),
            ("pose", pose, fitting[1], _POSE_SCORES),
        )
        for key, title in scores.items()
    ]
    for dataset in inputs.params.datasets:
        judged = inputs.metric("pose", dataset).get("teacher")
        if judged:
            shares = {**judged, "pckh": judged["pckh"] / 100}
            where = f"{dataset} {judged['split']}, annotated joints"
            rows.append(_teacher_row("pose: PCKh@0.5", shares, "pckh", where, pose))
    head = ["score", "value", "people", "judged on", "weights"]
    return table("Teachers in force, judged on held-out people", head, rows, words=(0, 3, 4))


def _teacher_row(title: str, judged: dict[str, Any], key: str, where: str, teacher: dict[str, Any]) -> list[str]:
    """One score; the judges count people in floats."""
    people = _written(judged.get("people"), lambda people: number(int(people)))
    return [title, _written(judged.get(key), percent), people, where, _weights(teacher)]


def _weights(measured: dict[str, Any]) -> str:
    """Sample, fit, or the file's name: never its path."""
    return Path(str(measured.get("weights", DASH))).name


def _class_shares(inputs: ReportInputs, dataset: str) -> Html:
    """How the judged pixels divide among the classes."""
    splits = inputs.params.datasets[dataset].splits
    measured = inputs.metric("shard", dataset)
    shares = {split: measured.get(split, {}).get("class_share", {}) for split in splits}
    names = inputs.params.datasets[dataset].parts.part_names
    people = [share for by_name in shares.values() for name, share in by_name.items() if name != "background"]
    most = 100 * max(people, default=0.0)
    rows = [[name, *(_share(shares[split].get(name), most) for split in splits)] for name in names]
    caption = f"{dataset}: share of the pixels, percent; bars against the most frequent part"
    return table(caption, ["class", *splits], rows, words=range(1 + len(splits)))


def _share(share: float | None, most: float) -> Html:
    return bar(None if share is None else 100 * share, most)


def _written(value: Any, write: Callable[[Any], str]) -> str:
    return DASH if value is None else write(value)
