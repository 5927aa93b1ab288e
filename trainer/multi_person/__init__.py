"""Poses of several people in one image, from heatmaps: candidates of joints, and whose they are (MuLA section 4.3)."""

from trainer.multi_person.candidates import Candidates, joint_candidates
from trainer.multi_person.centroids import batch_centroid_offsets, centroid_loss, centroid_offsets, centroid_votes
from trainer.multi_person.grouping import group_by_centroid, group_by_crop

__all__ = [
    "Candidates",
    "batch_centroid_offsets",
    "centroid_loss",
    "centroid_offsets",
    "centroid_votes",
    "group_by_centroid",
    "group_by_crop",
    "joint_candidates",
]
