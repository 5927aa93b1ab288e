"""The weights in a checkpoint file of somebody's training code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import DataError
from trainer.checkpoints import load_content

_unpickled_scalar = np.float64(0).__reduce__()[0]

_NUMPY_SCALARS: list[Any] = [
    (_unpickled_scalar, "numpy.core.multiarray.scalar"),
    _unpickled_scalar,
    np.dtype,
    type(np.dtype(np.float64)),
    type(np.dtype(np.float32)),
]
"""What checkpoints hold besides tensors: scores of the epochs."""


def checkpoint_weights(file: Path) -> dict[str, Tensor]:
    """Key -> tensor: the content of the file, or of its `state_dict`; no code in the file is run.

    Raises:
        DataError: the file is missing, damaged, or holds no weights by name.
    """
    with torch.serialization.safe_globals(_NUMPY_SCALARS):
        content = load_content(file)
    weights = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(weights, dict) or not all(isinstance(tensor, Tensor) for tensor in weights.values()):
        raise DataError(f"{file}: holds no weights by name. Give a checkpoint of the authors' code")
    return weights
