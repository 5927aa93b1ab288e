"""What a source may hold before a stage refuses it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.params.section import Fraction, Section

Limit = Annotated[int, Field(ge=0)] | None
"""So many findings are allowed, more fail the stage; null only reports."""


class Limits(Section):
    """How many findings of each check pass, and what counts as one; docs/quality.md explains the checks."""

    max_rejects: Limit = Field(0, description="records that cannot be used: unreadable, unknown ids, sizes that differ")
    max_smoothed_masks: Limit = Field(0, description="masks that were resized with interpolation")
    max_contradicting_maps: Limit = Field(0, description="maps of parts, people and part instances (CIHP)")
    max_keypoints_outside_image: Limit = 0
    max_keypoints_outside_person: Limit = 0
    max_left_right_contradictions: Limit = Field(0, description="between keypoints and arm, leg and shoe masks")
    max_empty_people: Limit = Field(0, description="people without a labelled pixel and without a keypoint")
    max_small_masks: Limit = Field(None, description="images with people of fewer labelled pixels than small_mask_px")
    max_duplicates: Limit = Field(0, description="images of the same pixels in two splits")
    max_near_duplicates: Limit = Field(None, description="images that look the same in two splits")
    max_shared_sources: Limit = Field(None, description="source images from which two splits cut people (LIP)")
    max_count_differences: Limit = Field(
        0, description="splits of a whole published set that have another number of images"
    )
    keypoint_tolerance: Fraction = Field(
        0.15,
        description="how far a visible keypoint may lie outside its person, as a share of the person's longer side",
    )
    small_mask_px: int = Field(16, ge=1, description="labelled pixels of a person that are enough")
    near_duplicate_bits: int = Field(10, ge=0, le=20, description="of 128, in which two images' looks may differ")
