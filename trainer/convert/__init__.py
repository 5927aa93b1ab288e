"""The authors' published checkpoints to this project's model files."""

from trainer.convert.convert import SOURCES, convert_weights
from trainer.convert.simple_baseline import convert_simple_baseline

__all__ = ["SOURCES", "convert_simple_baseline", "convert_weights"]
