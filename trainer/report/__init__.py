"""The page to look at: what ran, how well it did, how good the labels are, and samples with their labels drawn."""

from trainer.report.build import build_report
from trainer.report.inputs import ReportInputs

__all__ = ["ReportInputs", "build_report"]
