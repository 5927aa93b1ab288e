"""Any Keypoint R-CNN of detectron2's, run on boxes that are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.detection.detectron2_model import (
    build_model,
    config_of,
    config_text,
    input_of,
    load_weights,
    model_inputs,
    read_config,
)
from pipeline.errors import DataError
from pipeline.pose.rcnn import RoiMaps
from pipeline.taxonomy import KEYPOINT_SETS
from pipeline.teacher_file import InputSpec, write_teacher

ARCHITECTURE = "detectron2_keypoint_rcnn"
_KEYPOINTS = "coco17"


@dataclass(frozen=True)
class Detectron2PoseOptions:
    """What the model is built from.

    Attributes:
        config: the config's sections that decide what the model finds, as YAML.
        keypoint_set: the joints, by name of their set.
    """

    config: str
    keypoint_set: str = _KEYPOINTS


def keypoint_config(name: str) -> Any:
    """The config of a model that finds COCO's joints: one of detectron2's model zoo, or a YAML file.

    Raises:
        DataError: the config is of another kind of model, or of other joints.
        ParamsError: detectron2 is not installed, or there is no such config.
    """
    config = read_config(name)
    if config.MODEL.META_ARCHITECTURE != "GeneralizedRCNN" or not config.MODEL.KEYPOINT_ON:
        raise DataError(
            f"{name}: MODEL.META_ARCHITECTURE is {config.MODEL.META_ARCHITECTURE} and MODEL.KEYPOINT_ON is "
            f"{config.MODEL.KEYPOINT_ON}, expected GeneralizedRCNN and True. Take a Keypoint R-CNN"
        )
    count, joints = config.MODEL.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS, KEYPOINT_SETS[_KEYPOINTS]
    if count != len(joints):
        raise DataError(
            f"{name}: MODEL.ROI_KEYPOINT_HEAD.NUM_KEYPOINTS is {count}, expected the {len(joints)} of {joints.name}"
        )
    return config


def convert_weights(name: str, file: Path, target: Path) -> None:
    """Write detectron2's weights as a teacher's file, with the config beside them.

    Args:
        name: a config of detectron2's model zoo, or a YAML file.
        file: .pkl or .pth.

    Raises:
        DataError: the config is of no Keypoint R-CNN, or the weights are not its own.
        ParamsError: detectron2 is not installed, or there is no such config.
    """
    config = keypoint_config(name)
    model = build_model(config)
    load_weights(model, file)
    write_teacher(target, model, ARCHITECTURE, Detectron2PoseOptions(config_text(config)), input_of(config), "float32")


def build(options: Detectron2PoseOptions, spec: InputSpec) -> nn.Module:
    """The model with random weights; nothing is downloaded.

    Raises:
        DataError: the config names what this detectron2 does not have.
        ParamsError: detectron2 is not installed.
    """
    del spec  # the config says how the model is fed
    return build_model(config_of(options.config))


class Detectron2RoiNetwork:
    """A RoiNetwork around a GeneralizedRCNN with a keypoint head; on a GPU it computes in half precision.

    Attributes:
        origin: a half: detectron2 adds it to COCO's joints, which are counted from pixel centres, before it learns them, and
            takes it off again when it writes results.
    """

    origin = 0.5

    def __init__(self, model: nn.Module, options: Detectron2PoseOptions) -> None:
        self.device = next(model.parameters()).device
        self._model: Any = model.eval()
        self._config = config_of(options.config)

    def roi_maps(self, images: Sequence[np.ndarray], corners: Sequence[np.ndarray]) -> list[RoiMaps]:
        """Maps of the given boxes, by the model's own trunk, pooling and head; see RoiNetwork."""
        from detectron2.structures import Boxes

        heads = self._model.roi_heads
        inputs = self._model.preprocess_image(model_inputs(images, self._config))
        scales = [
            (size[1] / image.shape[1], size[0] / image.shape[0])
            for image, size in zip(images, inputs.image_sizes, strict=True)
        ]
        rois = [
            torch.from_numpy(rows).to(self.device) * torch.tensor([*scale, *scale], device=self.device)
            for rows, scale in zip(corners, scales, strict=True)
        ]
        with torch.autocast(self.device.type, torch.float16, enabled=self.device.type == "cuda"):
            features = self._model.backbone(inputs.tensor)
            levels = [features[name] for name in heads.keypoint_in_features]
            pooled = heads.keypoint_pooler(levels, [Boxes(rows) for rows in rois])
            maps = heads.keypoint_head.layers(pooled).float()
        per_image = maps.split([len(rows) for rows in rois])
        return [RoiMaps(*found) for found in zip(per_image, rois, scales, strict=True)]

    def peaks(self, maps: Tensor, rois: Tensor) -> Tensor:
        """(P, K, 3): the highest place of each map, resized to its box; see RoiNetwork."""
        from detectron2.structures.keypoints import heatmaps_to_keypoints

        found: Tensor = heatmaps_to_keypoints(maps, rois)
        return found[..., :3]
