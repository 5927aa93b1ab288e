"""The checks by name: which limit is theirs, and what becomes of a sample that fails one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: as it stands in lists, tables and metrics.
        limit: its key under `quality`.
        found: what a finding is, for the table.
        contradiction: the sample contradicts itself. It is left out, unless its limit is null, which keeps it in the set.
            Samples that fail any other check are kept, but for those that cannot be read into a record at all.
        listed: ingest names the samples in its lists; what is by design, or of no single sample, it only counts.
        advice: what to do about it.
    """

    name: str
    limit: str
    found: str
    contradiction: bool = False
    listed: bool = True
    advice: str = "Mend the source"


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        check.name: check
        for check in (
            Check("unreadable", "max_rejects", "files that cannot be read, or are not what they should be"),
            Check("sizes_differ", "max_rejects", "labels of another size than their image"),
            Check("unknown_ids", "max_rejects", "masks with ids or colours that the label set lacks"),
            Check("smoothed_masks", "max_smoothed_masks", "masks resized with interpolation", True),
            Check(
                "contradicting_maps",
                "max_contradicting_maps",
                "maps of parts, people and part instances that contradict each other",
                True,
            ),
            Check("keypoints_outside_image", "max_keypoints_outside_image", "keypoints outside the image", True),
            Check(
                "keypoints_outside_person", "max_keypoints_outside_person", "keypoints far outside their person", True
            ),
            Check(
                "left_right_contradictions",
                "max_left_right_contradictions",
                "left and right exchanged between keypoints and parts",
                True,
            ),
            Check("empty_people", "max_empty_people", "people without a labelled pixel and without a keypoint"),
            Check("small_masks", "max_small_masks", "people of hardly a labelled pixel"),
            Check(
                "duplicates",
                "max_duplicates",
                "images of another split, pixel for pixel",
                advice="Take one of the two out of its split",
            ),
            Check(
                "near_duplicates",
                "max_near_duplicates",
                "images that look like one of another split",
                advice="Take one of the two out of its split",
            ),
            Check(
                "shared_sources",
                "max_shared_sources",
                "source images that another split has people of",
                listed=False,
                advice="Take these people out of one of the splits",
            ),
            Check(
                "count_differences",
                "max_count_differences",
                "splits of a whole published set that have another number of images",
                listed=False,
                advice="Get the archives again",
            ),
        )
    }
)
"""In the order of tables and lists."""

CONTRADICTIONS = frozenset(name for name, check in CHECKS.items() if check.contradiction)
