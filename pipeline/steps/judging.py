"""Found people against the annotated ones of their image: who is who, who was missed, and of whom nothing can be cut."""

from __future__ import annotations

from pipeline.detection.matching import Matching, count_people, match_boxes, match_people
from pipeline.records import ImageRecord, People
from pipeline.shards.step import Finding, ShardReport


def judge_found(record: ImageRecord, people: People, report: ShardReport) -> list[int | None]:
    """Per person found the id of the annotated person they are, None for nobody.

    People are compared by their masks where the image has person ids, else by their boxes. Where nobody is annotated,
    everyone found is somebody: their own id.
    """
    truth = record.people
    if record.people_map is None and not len(truth):
        return [int(person) for person in people.ids]
    if record.people_map is None:
        matching = match_boxes(people, truth)
        report.counts.add({"box_iou_sum": float(matching.ious.sum())})
    else:
        matching = match_people(people, truth)
        count = count_people(matching, truth, record.width * record.height)
        report.counts.add({"iou_sum": float(matching.ious.sum())})
        report.counts.add({"large": count.large, "large_found": count.large_found})
        for row in range(len(truth)):
            if truth.rles[row] is None and not truth.crowd[row]:
                _tell(record, row, "an annotated person of whom only the box is known", report)
    report.counts.add({"matched": len(matching.found), "missed": len(matching.missed), "false": len(matching.false)})
    for row in matching.missed:
        _tell(record, int(row), "an annotated person whom the detector missed", report)
    return _truths(matching, people, truth)


def tell_unseen(record: ImageRecord, people: People, report: ShardReport) -> None:
    """List the annotated people who are not among `people`, those that can be cut out of an image by its own labels."""
    for row in range(len(record.people)):
        if not record.people.crowd[row] and record.people.ids[row] not in people.ids:
            _tell(record, row, "an annotated person of whom no pixel is known; a detector would look for them", report)


def _truths(matching: Matching, people: People, truth: People) -> list[int | None]:
    truths: list[int | None] = [None] * len(people)
    for found, row in zip(matching.found, matching.truth, strict=True):
        truths[found] = int(truth.ids[row])
    return truths


def _tell(record: ImageRecord, row: int, reason: str, report: ShardReport) -> None:
    report.outcomes.append(Finding(f"{record.sample_id}#{int(record.people.ids[row])}", reason))
