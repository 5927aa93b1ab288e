"""Found people against the annotated ones of their image: who is who, who was missed, and of whom nothing can be cut.

Every annotated person and every detection ends in one of the counts: annotated people are matched, missed, or known by their
box alone (`box_only`); detections are matched, false (of which `doubles` stay on a body that has another mask) or ignored. In
the lists an annotated person is called <image>#<id>, and the n-th of an image's detections <image>@<n>.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.detection.matching import Matching, bodies_of, count_people, match_boxes, match_people
from pipeline.records import ImageRecord, People
from pipeline.shards.step import Finding, ShardReport

_NOBODY = -1


@dataclass(frozen=True)
class Identity:
    """Who a found person is.

    Attributes:
        person: their value in the id map that goes along with the crop; None for nobody, who is not cut out.
        annotated: the id of the annotated person they are, whose joints are theirs; None where there is none.
        body: equal for found masks that stay on one annotated body, and for no others; -1 where that is not known.
    """

    person: int | None
    annotated: int | None
    body: int = _NOBODY


def judge_found(record: ImageRecord, people: People, report: ShardReport) -> list[Identity]:
    """Who each found person is; what is not as it should be is counted and listed.

    People are compared by their masks where any are annotated, else by their boxes. Where nobody is annotated, everyone
    found is somebody: their own id.
    """
    truth = record.people
    report.counts["detections"] += len(people)
    if record.people_map is None and not len(truth):
        return [Identity(int(person), None) for person in people.ids]
    if record.people_map is None and all(rle is None for rle in truth.rles):
        return _by_boxes(record, people, report)
    matching = match_people(people, truth)
    bodies = bodies_of(people, truth, matching)
    count = count_people(matching, truth, record.width * record.height)
    report.counts.add({"iou_sum": float(matching.ious.sum()), "mask_matched": len(matching.found)})
    report.counts.add({"large": count.large, "large_found": count.large_found})
    for row in range(len(truth)):
        if truth.rles[row] is None and not truth.crowd[row]:
            report.counts["box_only"] += 1
            _tell(record, row, "an annotated person of whom only the box is known", report)
    _count(record, people, matching, bodies, report)
    identities = [Identity(None, None, int(body)) for body in bodies]
    for found, row in zip(matching.found, matching.truth, strict=True):
        person = int(truth.ids[row])
        identities[found] = Identity(person, person, int(row))
    return identities


def tell_unseen(record: ImageRecord, people: People, report: ShardReport) -> None:
    """Count and list the annotated people who are not among `people`, those that their image's own labels can cut out."""
    for row in range(len(record.people)):
        if not record.people.crowd[row] and record.people.ids[row] not in people.ids:
            report.counts["unseen"] += 1
            _tell(record, row, "an annotated person of whom no pixel is known; a detector would look for them", report)


def _by_boxes(record: ImageRecord, people: People, report: ShardReport) -> list[Identity]:
    """The id map is drawn from the masks found, so a person's id is that of the detection."""
    matching = match_boxes(people, record.people)
    report.counts.add({"box_iou_sum": float(matching.ious.sum()), "box_matched": len(matching.found)})
    _count(record, people, matching, np.full(len(people), _NOBODY), report)
    identities = [Identity(None, None) for _ in range(len(people))]
    for found, row in zip(matching.found, matching.truth, strict=True):
        identities[found] = Identity(int(people.ids[found]), int(record.people.ids[row]))
    return identities


def _count(record: ImageRecord, people: People, matching: Matching, bodies: np.ndarray, report: ShardReport) -> None:
    """The counts of a matching, its missed people and its detections of nobody in the lists."""
    on_bodies = bodies[bodies != _NOBODY]
    report.counts.add(
        {
            "matched": len(matching.found),
            "missed": len(matching.missed),
            "false": len(matching.false),
            "ignored": len(matching.ignored),
            "doubles": len(on_bodies) - len(np.unique(on_bodies)),
        }
    )
    for row in matching.missed:
        _tell(record, int(row), "an annotated person whom the detector missed", report)
    for found in matching.false:
        shared = bodies[found] != _NOBODY and int((bodies == bodies[found]).sum()) > 1
        reason = "a detection without an annotated person"
        if shared:
            reason = f"one of several detections on annotated person {int(record.people.ids[bodies[found]])}"
        _tell_detection(record, people, int(found), reason, report)
    for found in matching.ignored:
        reason = "a detection in a crowd region, or on a person of whom only the box is known"
        _tell_detection(record, people, int(found), reason, report)


def _tell(record: ImageRecord, row: int, reason: str, report: ShardReport) -> None:
    report.outcomes.append(Finding(f"{record.sample_id}#{int(record.people.ids[row])}", reason))


def _tell_detection(record: ImageRecord, people: People, found: int, reason: str, report: ShardReport) -> None:
    report.outcomes.append(Finding(f"{record.sample_id}@{int(people.ids[found])}", reason))
