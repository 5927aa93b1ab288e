"""Any feature extractor of timm as a backbone; timm is an extra."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

PREFIX = "timm/"
"""What a backbone's name begins with where timm knows the rest of it."""


class TimmFeatures(nn.Module):
    """The last four feature levels of a network of timm, in place of Res2 to Res5.

    The last stages are dilated where the network can do that; else the last level keeps its own stride of 32.

    Attributes:
        channels: of the four levels.
    """

    def __init__(self, name: str, stride: Literal[8, 16]) -> None:
        """Fresh weights.

        Args:
            name: as timm has it.
            stride: of the last level, where the network can be dilated.

        Raises:
            ValueError: timm is not installed or does not know the name, or the network takes inputs of one size only or
                has no levels of strides 4 and 8.
        """
        super().__init__()
        self.name = name
        self.features = _create(name, stride)
        levels = self.features.feature_info.get_dicts(["num_chs", "reduction"])
        strides = [level["reduction"] for level in levels]
        if getattr(self.features, "pretrained_cfg", {}).get("fixed_input_size"):
            raise ValueError(f"backbone: timm's {name} takes inputs of one size only, expected a convolutional network")
        if len(levels) < 4 or strides[-4] != 4 or strides[-3] != 8:
            raise ValueError(
                f"backbone: timm's {name} has levels of strides {strides}, expected the last four from 4, 8"
            )
        self.channels = tuple(int(level["num_chs"]) for level in levels[-4:])
        self._channels_last = str(getattr(self.features, "output_fmt", "NCHW")).endswith("NHWC")

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) -> four maps (N, c, h, w), of strides 4, 8 and two more."""
        levels = self.features(images)[-4:]
        return tuple(level.permute(0, 3, 1, 2) if self._channels_last else level for level in levels)


def _create(name: str, stride: int, **options: Any) -> Any:
    """timm's network, dilated to that stride if it can be.

    Raises:
        ValueError: timm is not installed, or does not know the name.
    """
    try:
        import timm
    except ImportError as error:
        raise ValueError(
            f"backbone: {PREFIX}{name} needs timm, which is not installed. Run pip install 'human-parsing-pipeline[timm]'"
        ) from error
    if not timm.is_model(name):
        raise ValueError(f"backbone: timm {timm.__version__} knows no {name!r}; timm.list_models() names all it knows")
    try:
        return timm.create_model(name, features_only=True, output_stride=stride, **options)
    except (TypeError, AssertionError, NotImplementedError):
        return timm.create_model(name, features_only=True, **options)


def published_address(name: str) -> str | None:
    """Where timm's ImageNet weights of a network lie; None where it knows of none."""
    import timm

    config: Any = timm.get_pretrained_cfg(name)
    if config is None:
        return None
    return config.url or (f"hf://{config.hf_hub_id}/model.safetensors" if config.hf_hub_id else None)


def weights_of_file(backbone: TimmFeatures, file: str) -> dict[str, Tensor]:
    """The weights of a file of timm under the names that the backbone has; timm knows its networks' older names.

    timm passes over what a file lacks. Here it is told by loading twice, over weights of different seeds.

    Raises:
        ValueError: the file lacks weights.
        RuntimeError, OSError: it cannot be read, or its weights are of other shapes.
    """
    loaded = []
    for seed in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            filled = _create(backbone.name, 16, pretrained=True, pretrained_cfg_overlay={"file": file})
        loaded.append(filled.state_dict())
    lacking = [key for key, tensor in loaded[0].items() if not torch.equal(tensor, loaded[1][key])]
    if lacking:
        raise ValueError(f"lacks {lacking[0]!r} ({len(lacking)} such tensors)")
    return loaded[0]
