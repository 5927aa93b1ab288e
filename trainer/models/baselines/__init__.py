"""Networks that the papers compare with; parsing only, but for CE2P's edges."""

from trainer.models.baselines.ce2p import CE2P
from trainer.models.baselines.deeplab import DeepLabV2
from trainer.models.baselines.fcn import FCN8s

__all__ = ["CE2P", "DeepLabV2", "FCN8s"]
