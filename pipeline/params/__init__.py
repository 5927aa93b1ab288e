"""params.yaml as checked types: every key known, every value of its type, every error naming its key."""

from pipeline.params.datasets import ArchiveLimits, Dataset, Download, SourceFile
from pipeline.params.executor import Executor
from pipeline.params.labels import Crop, Edges, Heatmaps, ShardsSection
from pipeline.params.load import Params, load_params
from pipeline.params.quality import Limits
from pipeline.params.section import FileName, Section, Splits
from pipeline.params.teachers import Detector, DetectorFit, Pose, PoseFit
from pipeline.params.training import Augment, Evaluate, Loss, Train

__all__ = [
    "ArchiveLimits",
    "Augment",
    "Crop",
    "Dataset",
    "Detector",
    "DetectorFit",
    "Download",
    "Edges",
    "Evaluate",
    "Executor",
    "FileName",
    "Heatmaps",
    "Limits",
    "Loss",
    "Params",
    "Pose",
    "PoseFit",
    "Section",
    "ShardsSection",
    "SourceFile",
    "Splits",
    "Train",
    "load_params",
]
