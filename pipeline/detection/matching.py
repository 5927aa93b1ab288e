"""Found people against annotated ones, one to one on the IoU of their masks, or of their boxes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pycocotools import mask as coco_mask

from pipeline.records import People

LARGE_SHARE = 0.02
"""People whose visible area is over this share of the image are the ones a detector has to find."""

_INSIDE = 0.5


@dataclass(frozen=True, eq=False)
class Matching:
    """Who is who; all arrays hold row numbers or refer to them.

    Attributes:
        found, truth: (M,) int64, row in the found people and row in the annotated people of each pair.
        ious: (M,) float64, mask IoU of each pair.
        missed: annotated people (with a mask, no crowd) that nobody found.
        false: found people who are nobody.
        ignored: found people that lie mostly inside a crowd region or on a person of whom only the box is known;
            neither right nor wrong.
    """

    found: np.ndarray
    truth: np.ndarray
    ious: np.ndarray
    missed: np.ndarray
    false: np.ndarray
    ignored: np.ndarray


def match_people(found: People, truth: People, iou: float = 0.5) -> Matching:
    """Match by falling score: each found person takes the free annotated person of highest mask IoU, if at least `iou`.

    Args:
        found: people with masks.
        truth: annotated people of the same image.

    Raises:
        ValueError: a found person has no mask.
    """
    if any(rle is None for rle in found.rles):
        raise ValueError("found: a person without a mask; matching compares masks")
    plain = np.flatnonzero([rle is not None and not crowd for rle, crowd in zip(truth.rles, truth.crowd, strict=True)])
    overlaps = _mask_ious(found, truth, plain, crowd=False)
    return _pair(found, plain, overlaps, iou, _excused(found, truth, iou))


def match_boxes(found: People, truth: People, iou: float = 0.5) -> Matching:
    """As `match_people`, by the IoU of the boxes: for people of whom nothing else is annotated.

    Args:
        found: people with boxes.
        truth: annotated people of the same image; crowd regions excuse nobody.
    """
    plain = np.flatnonzero(~truth.crowd)
    overlaps = np.zeros((len(found), len(plain)))
    if len(found) and len(plain):
        boxes = found.boxes.astype(np.float64), truth.boxes[plain].astype(np.float64)
        overlaps = np.asarray(coco_mask.iou(*boxes, [False] * len(plain))).reshape(overlaps.shape)
    return _pair(found, plain, overlaps, iou, np.zeros(len(found), bool))


def bodies_of(found: People, truth: People, matching: Matching) -> np.ndarray:
    """On whose body each found mask stays: two that share a row are two masks on one person.

    A matched person stays on the one they are matched with; anyone else on the annotated person who covers most of
    their mask, if that is at least half of it.

    Args:
        matching: of `found` with `truth`, by their masks.

    Returns:
        (found,) int64 row of the annotated person, -1 for nobody.
    """
    bodies = np.full(len(found), -1, np.int64)
    plain = np.flatnonzero([rle is not None and not crowd for rle, crowd in zip(truth.rles, truth.crowd, strict=True)])
    covered = _mask_ious(found, truth, plain, crowd=True)
    if len(plain):
        most = covered.argmax(axis=1)
        on_body = covered[np.arange(len(found)), most] >= _INSIDE
        bodies[on_body] = plain[most[on_body]]
    bodies[matching.found] = matching.truth
    return bodies


def _pair(found: People, plain: np.ndarray, overlaps: np.ndarray, iou: float, excused: np.ndarray) -> Matching:
    """The matching by falling score; `plain` holds the rows of the annotated people that `overlaps` has columns of."""
    free = np.ones(len(plain), bool)
    pairs: list[tuple[int, int, float]] = []
    single: list[int] = []
    for row in np.argsort(-found.scores, kind="stable"):
        candidates = np.where(free, overlaps[row], -1.0)
        best = int(candidates.argmax()) if len(plain) else -1
        if best >= 0 and candidates[best] >= iou:
            free[best] = False
            pairs.append((int(row), int(plain[best]), float(candidates[best])))
        else:
            single.append(int(row))
    rows = np.array(sorted(single), np.int64)
    return Matching(
        found=np.array([pair[0] for pair in pairs], np.int64),
        truth=np.array([pair[1] for pair in pairs], np.int64),
        ious=np.array([pair[2] for pair in pairs], np.float64),
        missed=plain[free].astype(np.int64),
        false=rows[~excused[rows]],
        ignored=rows[excused[rows]],
    )


@dataclass(frozen=True)
class PeopleCount:
    """Counts over images; add them up.

    Attributes:
        large: annotated people over LARGE_SHARE of their image.
        large_found: how many of them were found.
        judged: found people who are right or wrong (a person of any size counts as right).
        false: how many of them are wrong.
    """

    large: int = 0
    large_found: int = 0
    judged: int = 0
    false: int = 0

    def __add__(self, other: PeopleCount) -> PeopleCount:
        return PeopleCount(
            self.large + other.large,
            self.large_found + other.large_found,
            self.judged + other.judged,
            self.false + other.false,
        )

    @property
    def recall(self) -> float:
        """Share of the large people that were found; nan without any."""
        return self.large_found / self.large if self.large else float("nan")

    @property
    def false_share(self) -> float:
        """Share of the judged people who are nobody; 0 where nobody was found."""
        return self.false / self.judged if self.judged else 0.0


def count_people(matching: Matching, truth: People, image_area: int) -> PeopleCount:
    """The counts of one image.

    Args:
        truth: the annotated people that were matched.
        image_area: height times width of the image.
    """
    areas = {int(row): float(coco_mask.area(truth.rles[row])) for row in (*matching.truth, *matching.missed)}
    large = {row for row, area in areas.items() if area > LARGE_SHARE * image_area}
    return PeopleCount(
        large=len(large),
        large_found=sum(int(row) in large for row in matching.truth),
        judged=len(matching.found) + len(matching.false),
        false=len(matching.false),
    )


def _mask_ious(found: People, truth: People, rows: np.ndarray, *, crowd: bool) -> np.ndarray:
    """(found, rows) float64 IoU of masks; with `crowd` the share of the found mask that lies inside the true one."""
    if not len(found) or not len(rows):
        return np.zeros((len(found), len(rows)))
    masks = [truth.rles[row] for row in rows]
    return np.asarray(coco_mask.iou(list(found.rles), masks, [crowd] * len(masks))).reshape(len(found), len(rows))


def _excused(found: People, truth: People, iou: float) -> np.ndarray:
    """(found,) bool: mostly inside a crowd region, or on a box-only person by the IoU of the boxes."""
    with_mask = np.array([rle is not None for rle in truth.rles], bool)
    crowds = np.flatnonzero(truth.crowd & with_mask)
    inside: np.ndarray = np.any(_mask_ious(found, truth, crowds, crowd=True) > _INSIDE, axis=1)
    boxes_only = np.flatnonzero(~with_mask)
    if not len(found) or not len(boxes_only):
        return inside
    overlaps = coco_mask.iou(
        found.boxes.astype(np.float64),
        truth.boxes[boxes_only].astype(np.float64),
        truth.crowd[boxes_only].tolist(),
    )
    on_box: np.ndarray = np.any(np.asarray(overlaps).reshape(len(found), -1) >= iou, axis=1)
    return inside | on_box
