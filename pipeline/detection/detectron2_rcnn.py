"""A PersonDetector around any Mask R-CNN of detectron2's (He et al. 2017; Cascade R-CNN too)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.detection.batches import ImageBatches
from pipeline.detection.detectron2_model import (
    build_model,
    config_of,
    config_text,
    input_of,
    load_weights,
    model_inputs,
    read_config,
)
from pipeline.detection.masks import MASK_THRESHOLD, region_rle
from pipeline.detection.threads import fixed_threads
from pipeline.errors import DataError
from pipeline.records import People
from pipeline.rle import Rle
from pipeline.teacher_file import TeacherFile, build_options, write_teacher

ARCHITECTURE = "detectron2_mask_rcnn"
THREADS = 4
"""Of one operation on the CPU: a fixed number, whatever the number of cores, gives the same people."""

_STRIP_PIXELS = 1 << 22


@dataclass(frozen=True)
class Detectron2Options:
    """What the model is built from.

    Attributes:
        config: the config's sections that decide what the model finds, as YAML.
        person: the class that is the person, counted from 0 without the background.
    """

    config: str
    person: int


def convert_weights(network: str, file: Path, target: Path) -> None:
    """Write detectron2's weights as a teacher's file, with the config beside them.

    Args:
        network: a config of detectron2's model zoo, or a YAML file.
        file: .pkl or .pth.

    Raises:
        DataError: the config is of no Mask R-CNN, or the weights are not its own.
        ParamsError: detectron2 is not installed, or there is no such config.
    """
    config = mask_config(network)
    model = build_model(config)
    load_weights(model, file)
    options = Detectron2Options(config_text(config), _person_class(config))
    write_teacher(target, model, ARCHITECTURE, options, input_of(config), "float32")


def mask_config(network: str) -> Any:
    """The config of a model that finds masks.

    Raises:
        DataError: the config is of another kind of model.
        ParamsError: detectron2 is not installed, or there is no such config.
    """
    config = read_config(network)
    if config.MODEL.META_ARCHITECTURE != "GeneralizedRCNN" or not config.MODEL.MASK_ON:
        raise DataError(
            f"{network}: MODEL.META_ARCHITECTURE is {config.MODEL.META_ARCHITECTURE} and MODEL.MASK_ON is "
            f"{config.MODEL.MASK_ON}, expected GeneralizedRCNN and True. Take a Mask R-CNN: people are cut out by their masks"
        )
    return config


def load_detectron2(teacher: TeacherFile, device: torch.device, batch_size: int) -> Detectron2Detector:
    """The detector of a teacher's file.

    Raises:
        DataError: the weights do not fit the config.
        ParamsError: detectron2 is not installed.
    """
    options = build_options(Detectron2Options, teacher)
    config = config_of(options.config)
    model = build_model(config)
    teacher.fill(model)
    return Detectron2Detector(model.to(device), config, options.person, teacher.teacher_id, batch_size)


class Detectron2Detector:
    """A PersonDetector around a GeneralizedRCNN with masks; on a GPU it runs in half precision.

    The people are those of detectron2's own DefaultPredictor; each mask is pasted within its box.

    Args:
        config: of the model.
        person: the class that is the person.
        batch_size: images in a call; 1 where a result must not depend on other images.
    """

    def __init__(self, model: nn.Module, config: Any, person: int, teacher_id: str, batch_size: int = 1) -> None:
        self.teacher_id = teacher_id
        self._model: Any = model.eval()
        self._config = config
        self._person = person
        self._batches = ImageBatches(batch_size)
        self._device = next(model.parameters()).device

    @property
    def batch_size(self) -> int:
        """Images that go through the network at once."""
        return self._batches.size

    @property
    def halvings(self) -> int:
        """How often the batch was halved because a GPU ran out of memory."""
        return self._batches.halvings

    def detect(self, image: np.ndarray) -> People:
        """People of one (H, W, 3) uint8 RGB image; see PersonDetector.

        Raises:
            ValueError: not such an image.
        """
        return self.detect_many([image])[0]

    def detect_many(self, images: Sequence[np.ndarray]) -> list[People]:
        """People of several images, in batches; see PersonDetector."""
        with torch.inference_mode(), fixed_threads(THREADS):
            return self._batches.run(self._found, images)

    def _found(self, images: Sequence[np.ndarray]) -> list[People]:
        inputs = model_inputs(images, self._config)
        with torch.autocast(self._device.type, torch.float16, enabled=self._device.type == "cuda"):
            found = self._model.inference(inputs, do_postprocess=False)
        return [self._people(one, image.shape[:2]) for one, image in zip(found, images, strict=True)]

    def _people(self, found: Any, size: tuple[int, int]) -> People:
        """People from detectron2's Instances in pixels of the network's input."""
        from detectron2.modeling.postprocessing import detector_postprocess

        found = found[found.pred_classes == self._person].to("cpu")
        found.roi_masks = found.pred_masks[:, 0].float()
        found.remove("pred_masks")  # else they would be pasted into maps of the whole image, all at once
        found = detector_postprocess(found, *size)
        corners = found.pred_boxes.tensor.float()
        boxes = corners.numpy()
        return People.build(
            range(1, len(boxes) + 1),
            np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1),
            scores=found.scores.float().numpy(),
            rles=[_paste(mask, box, size) for mask, box in zip(found.roi_masks, corners, strict=True)],
        )


def _paste(mask: Tensor, box: Tensor, size: tuple[int, int]) -> Rle:
    """The (M, M) mask of a box x1, y1, x2, y2 sampled at the pixels' centres as detectron2 does it, strip by strip."""
    x0, y0, x1, y1 = box.tolist()
    left, top = max(int(np.floor(x0)) - 1, 0), max(int(np.floor(y0)) - 1, 0)
    right, bottom = min(int(np.ceil(x1)) + 1, size[1]), min(int(np.ceil(y1)) + 1, size[0])
    across = _grid(left, right, box[0], box[2])
    down = _grid(top, bottom, box[1], box[3])
    inside = np.zeros((len(down), len(across)), bool)
    rows = max(_STRIP_PIXELS // len(across), 1)
    for first in range(0, len(down), rows):
        strip = down[first : first + rows]
        grid = torch.stack([across.expand(len(strip), -1), strip[:, None].expand(-1, len(across))], dim=2)
        sampled = functional.grid_sample(mask[None, None], grid[None], align_corners=False)[0, 0]
        inside[first : first + rows] = (sampled >= MASK_THRESHOLD).numpy()
    return region_rle(inside, top, left, size)


def _grid(first: int, last: int, low: Tensor, high: Tensor) -> Tensor:
    """Pixel centres from `first` to `last` as places in a box that goes from -1 to 1."""
    return (torch.arange(first, last, dtype=torch.float32) + 0.5 - low) / (high - low) * 2 - 1


def _person_class(config: Any) -> int:
    """The class called person where detectron2 knows the names of the config's test set, else the first.

    Raises:
        DataError: none of the names is that.
    """
    from detectron2.data import MetadataCatalog

    tests = config.DATASETS.TEST
    names: Sequence[str] = MetadataCatalog.get(tests[0]).get("thing_classes", ()) if len(tests) else ()
    if len(names) != config.MODEL.ROI_HEADS.NUM_CLASSES:
        return 0
    if "person" not in names:
        raise DataError(
            f"{tests[0]}: none of its {len(names)} classes is called person. Take a model that finds people"
        )
    return list(names).index("person")
