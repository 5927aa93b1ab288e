"""The authors' published checkpoints to this project's model files."""

from trainer.convert.convert import SOURCES, convert_weights

__all__ = ["SOURCES", "convert_weights"]
