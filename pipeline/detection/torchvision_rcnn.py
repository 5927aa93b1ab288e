"""A PersonDetector around a Mask R-CNN of torchvision's parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.detection.transform import resize_boxes

from pipeline.detection.threads import fixed_threads
from pipeline.records import People
from pipeline.rle import encode_rle

MASK_THRESHOLD = 0.5


class TorchvisionDetector:
    """A PersonDetector around a MaskRCNN whose class 1 is the person.

    Args:
        threads: of one operation on the CPU.
    """

    def __init__(self, network: MaskRCNN, teacher_id: str, threads: int = 1) -> None:
        self.network = network.eval()
        self.teacher_id = teacher_id
        self.halvings = 0
        self._threads = threads
        self._device = next(network.parameters()).device

    def detect(self, image: np.ndarray) -> People:
        """People of one (H, W, 3) uint8 RGB image; see PersonDetector.

        Raises:
            ValueError: not such an image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"image: {image.dtype} of shape {image.shape}, expected uint8 (H, W, 3)")
        with torch.inference_mode(), fixed_threads(self._threads):
            boxes, scores, masks = self._found(image_tensor(image).to(self._device))
            size = image.shape[:2]
            rles = [
                encode_rle(paste_masks_in_image(mask[None], box[None], size)[0, 0].numpy() >= MASK_THRESHOLD)
                for mask, box in zip(masks, boxes, strict=True)
            ]
        corners = boxes.numpy()
        boxes_xywh = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        return People.build(range(1, len(rles) + 1), boxes_xywh, scores=scores.numpy(), rles=rles)

    def detect_many(self, images: Sequence[np.ndarray]) -> list[People]:
        """People of several images, one by one; see PersonDetector."""
        return [self.detect(image) for image in images]

    def _found(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes (N, 4) x1, y1, x2, y2 in image pixels, scores (N,) and masks (N, 1, 28, 28) of the people, on the CPU.

        These are the steps of torchvision's own forward up to the pasting of the masks, which makes a float map of
        the image's size for every person at once.
        """
        height, width = image.shape[-2:]
        network = self.network
        images, _ = network.transform([image])
        features = network.backbone(images.tensors)
        proposals, _ = network.rpn(images, features)
        (found,), _ = network.roi_heads(features, proposals, images.image_sizes)
        person = found["labels"] == 1
        boxes = resize_boxes(found["boxes"][person], images.image_sizes[0], [height, width])
        return boxes.cpu(), found["scores"][person].cpu(), found["masks"][person].cpu()


def image_tensor(image: np.ndarray) -> Tensor:
    """(3, H, W) float32 in 0 ... 1 from (H, W, 3) uint8 RGB."""
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float() / 255
