"""The benchmarks' own metrics, as accumulated counts; all scores in percent."""

from trainer.metrics.constant import best_constant
from trainer.metrics.parsing import ParsingMetrics
from trainer.metrics.pckh import pckh

__all__ = ["ParsingMetrics", "best_constant", "pckh"]
