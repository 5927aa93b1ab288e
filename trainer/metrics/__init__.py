"""The benchmarks' own metrics, as accumulated counts; all scores in percent."""

from trainer.metrics.coco import keypoint_ap
from trainer.metrics.constant import best_constant
from trainer.metrics.multi_person_pose import multi_person_pose_ap
from trainer.metrics.parsing import ParsingMetrics
from trainer.metrics.part_ap import PartInstanceAP, instance_part_ap
from trainer.metrics.pckh import PckhCounts, pckh

__all__ = [
    "ParsingMetrics",
    "PartInstanceAP",
    "PckhCounts",
    "best_constant",
    "instance_part_ap",
    "keypoint_ap",
    "multi_person_pose_ap",
    "pckh",
]
