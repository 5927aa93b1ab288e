"""The training loop."""

from trainer.engine.training import train

__all__ = ["train"]
