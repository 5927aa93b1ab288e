"""All checks that look at one record alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.quality.checks import CONTRADICTIONS
from pipeline.quality.keypoints import outside_image, outside_person
from pipeline.quality.regions import PersonRegion, person_region
from pipeline.quality.sides import LimbIds, exchanged_joints, limb_ids
from pipeline.quality.smoothing import SHARE, smoothed_share
from pipeline.records import ImageRecord
from pipeline.shards.step import Finding
from pipeline.taxonomy import KeypointSet, LabelSet

_TOLD = 3


@dataclass(frozen=True)
class Rules:
    """What counts as a finding, and what a finding does to its sample.

    Attributes:
        keypoint_tolerance: share of a person's longer side that a visible keypoint may lie outside the person.
        small_mask_px: labelled pixels of a person that are enough.
        rejecting: names of the checks whose samples are left out.
    """

    keypoint_tolerance: float = 0.15
    small_mask_px: int = 16
    rejecting: frozenset[str] = CONTRADICTIONS


DEFAULT_RULES = Rules()


@dataclass(frozen=True)
class Examiner:
    """Examines the records of one data set.

    Attributes:
        label_set: of the masks.
        keypoint_names: of the joints; empty where params.yaml names no keypoint set, and joints go by their number.
        rules: what counts.
    """

    label_set: LabelSet
    keypoint_names: tuple[str, ...]
    rules: Rules
    limbs: LimbIds

    @classmethod
    def of(cls, label_set: LabelSet, keypoints: KeypointSet | None, rules: Rules) -> Examiner:
        """The examiner of a label set and a keypoint set."""
        return cls(label_set, () if keypoints is None else keypoints.keypoint_names, rules, limb_ids(label_set))

    def __call__(self, record: ImageRecord, hidden_told: bool = True) -> list[Finding]:
        """What is wrong with a record: at most one finding per check.

        Args:
            hidden_told: whether keypoints with v 2 are visible, not just annotated.
        """
        mask = record.decode_mask()
        found: dict[str, list[str]] = {}
        if mask is not None and len(self.label_set) > 2 and (share := smoothed_share(mask)) > SHARE:
            found["smoothed_masks"] = [
                f"{share:.0%} of the pixels at borders of its mask hold an id between those of their neighbours, as resizing "
                "with interpolation leaves them. Resize masks by nearest neighbour, from the original"
            ]
        for index in np.flatnonzero(~record.people.crowd):
            for check, text in self._person(record, mask, int(index), hidden_told):
                found.setdefault(check, []).append(text)
        where = f"{record.dataset}/{record.sample_id}"
        return [Finding(record.sample_id, f"{where}: {_joined(texts)}", check) for check, texts in found.items()]

    def _person(
        self, record: ImageRecord, mask: np.ndarray | None, index: int, hidden_told: bool
    ) -> Iterator[tuple[str, str]]:
        """(check, what was found) of one person."""
        people = record.people
        who = "" if len(people) == 1 else f"person {people.ids[index]}: "
        region = person_region(record, mask, index)
        keypoints = np.zeros((0, 3), np.float32) if people.keypoints is None else people.keypoints[index]
        annotated = int((keypoints[:, 2] > 0).sum())
        if outside := outside_image(keypoints, (record.height, record.width)):
            places = _listed([self._at(keypoints, joint) for joint in outside])
            yield "keypoints_outside_image", f"{who}{places} outside the image of {record.width}x{record.height}"
        size = region.size_px
        if region.extent is not None and size > 0:
            tolerance = self.rules.keypoint_tolerance * size
            if far := outside_person(keypoints, region.extent, tolerance, hidden_told):
                places = _listed([f"{self._at(keypoints, joint)} {distance:.0f} px" for joint, distance in far])
                yield "keypoints_outside_person", f"{who}{places} outside the person of {size:.0f} px"
            if exchanged := self._exchanged(keypoints, mask, region, size):
                yield (
                    "left_right_contradictions",
                    f"{who}left and right {' and '.join(exchanged)} lie on each other's limb of the mask. "
                    "One of the two labels has its sides exchanged",
                )
        own, what = (region.extent, "pixel") if region.labelled is None else (region.labelled, "labelled pixel")
        if own is None:
            return
        count = int(own.sum())
        if count == 0 and annotated == 0:
            yield "empty_people", f"{who}not one {what} and no keypoint{_ignored(mask, count)}"
        elif count < self.rules.small_mask_px:
            yield "small_masks", f"{who}{count} {what}{'' if count == 1 else 's'}{_ignored(mask, count)}"

    def _exchanged(
        self, keypoints: np.ndarray, mask: np.ndarray | None, region: PersonRegion, size: float
    ) -> Sequence[str]:
        if mask is None or region.labelled is None or not self.limbs or not self.keypoint_names:
            return ()
        parts = np.where(region.labelled, mask, 0)
        return exchanged_joints(keypoints, self.keypoint_names, parts, self.limbs, size)

    def _at(self, keypoints: np.ndarray, joint: int) -> str:
        name = self.keypoint_names[joint] if joint < len(self.keypoint_names) else f"keypoint {joint}"
        return f"{name} at ({keypoints[joint, 0]:g}, {keypoints[joint, 1]:g})"


def _joined(texts: Sequence[str]) -> str:
    more = f"; and {len(texts) - _TOLD} more people" if len(texts) > _TOLD else ""
    return "; ".join(texts[:_TOLD]) + more


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _TOLD} more" if len(texts) > _TOLD else ""
    return ", ".join(texts[:_TOLD]) + more


def _ignored(mask: np.ndarray | None, labelled: int) -> str:
    """Says so where a mask holds nothing but ignored pixels: a mask of 0 and 255 is no mask of ids."""
    ignored = 0 if mask is None or labelled else int((mask == 255).sum())
    return f"; {ignored} are 255, which is ignored" if ignored else ""
