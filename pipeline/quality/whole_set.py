"""All checks that need the whole set: duplicates across splits, shared source images, published counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipeline.quality.counts import count_differences, is_whole
from pipeline.quality.duplicates import Mark, Twin, duplicates, near_duplicates
from pipeline.quality.shared_sources import shared_sources
from pipeline.shards.step import Finding, ShardReport


@dataclass(frozen=True)
class SetRules:
    """What the checks of a whole set need to know.

    Attributes:
        dataset: its name.
        source: of params.yaml.
        published: split -> images of the published set; empty where there is none to compare with.
        source_image: sample id -> its source image, or None.
        near_duplicate_bits: of 128, in which two images' looks may differ.
    """

    dataset: str
    source: str
    published: Mapping[str, int]
    source_image: Callable[[str], str] | None
    near_duplicate_bits: int


def check_set(reports: Mapping[str, ShardReport], rules: SetRules) -> dict[str, list[Finding]]:
    """Split -> findings about its samples.

    Args:
        reports: split -> what became of its samples; `marks` hold sample_id, pixels and look of each record.
        rules: of this set.
    """
    found: dict[str, list[Finding]] = {split: [] for split in reports}
    marks = [Mark(split, **mark) for split, report in reports.items() for mark in report.marks]
    for twin in duplicates(marks):
        found[twin.mark.split].append(_twin(twin, rules.dataset, "duplicates", "has the very pixels of"))
    for twin in near_duplicates(marks, rules.near_duplicate_bits):
        told = f"differs in {twin.bits} of 128 bits of its looks from"
        found[twin.mark.split].append(_twin(twin, rules.dataset, "near_duplicates", told))
    if rules.source_image is not None:
        ids = {split: [mark["sample_id"] for mark in report.marks] for split, report in reports.items()}
        for shared in shared_sources(ids, rules.source_image):
            reason = (
                f"{rules.dataset}/{shared.sample_id}: cut from image {shared.source}, as is "
                f"{shared.earlier_id} of {shared.earlier_split}"
            )
            found[shared.split].append(Finding(shared.sample_id, reason, "shared_sources"))
    images = {split: listed_images(report) for split, report in reports.items()}
    if is_whole(rules.source, images, rules.published):
        for split, (count, published) in count_differences(images, rules.published).items():
            reason = f"{rules.dataset}: {count} {split} images, published are {published}"
            found[split].append(Finding("", reason, "count_differences"))
    return found


def listed_images(report: ShardReport) -> int:
    """Images that the source lists: those with a record and those that were rejected."""
    return report.records + len({finding.sample_id for finding in report.rejects})


def _twin(twin: Twin, dataset: str, check: str, told: str) -> Finding:
    earlier = f"{twin.earlier.sample_id} of {twin.earlier.split}"
    return Finding(twin.mark.sample_id, f"{dataset}/{twin.mark.sample_id}: {told} {earlier}", check)
