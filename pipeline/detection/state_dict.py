"""Files of weights as torch.save writes them, and networks filled from them."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import DataError


def read_state_dict(file: Path) -> Mapping[str, Tensor]:
    """Name -> tensor of a file of torch.save: a state dict, or a checkpoint of torchvision's scripts that holds one.

    Raises:
        DataError: it is no such file.
    """
    try:
        content: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{file}: not readable as a PyTorch state dict ({' '.join(str(error).split())[:160]})"
        ) from error
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content = content["model"]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise DataError(f"{file}: holds no PyTorch state dict. Save it with torch.save(model.state_dict(), FILE)")
    return content


def fill_network(network: nn.Module, state: Mapping[str, Tensor], name: str, file: Path) -> None:
    """Fill a network of torchvision's from a state dict, all of it and with all of it.

    Args:
        name: of the network, for errors.
        file: where the state dict comes from, likewise.

    Raises:
        DataError: the state dict is of another network.
    """
    try:
        # torchvision's own loading, since it knows the names that its older files have.
        missing, unknown = network.load_state_dict(dict(state), strict=False)
    except RuntimeError as error:
        raise DataError(f"{file}: weights of another shape than {name} has: {_first_mismatch(error)}") from error
    for problem, names in (("lacks", missing), ("has the unknown", unknown)):
        if names:
            raise DataError(
                f"{file}: {problem} {names[0]!r} ({len(names)} such tensors), expected the weights of {name}"
            )


def _first_mismatch(error: RuntimeError) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip().startswith("size mismatch")]
    return lines[0] if lines else " ".join(str(error).split())[:160]
