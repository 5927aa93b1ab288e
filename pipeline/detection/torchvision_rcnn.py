"""A PersonDetector around a Mask R-CNN of torchvision's parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import expand_boxes, expand_masks, maskrcnn_inference
from torchvision.models.detection.transform import GeneralizedRCNNTransform, resize_boxes

from pipeline.detection.batches import ImageBatches
from pipeline.detection.device import compute_in
from pipeline.detection.masks import MASK_THRESHOLD, region_rle
from pipeline.detection.threads import fixed_threads
from pipeline.records import People
from pipeline.rle import Rle

PERSON = 1
_MASK_PADDING = 1  # cells around a 28x28 mask, as torchvision pastes it


class TorchvisionDetector:
    """A PersonDetector around a MaskRCNN whose class 1 is the person.

    The people are those of the network's own forward. Unlike that, masks are made of people alone, and each is pasted
    within its box.

    Args:
        threads: of one operation on the CPU.
        batch_size: images in a call; 1 where a result must not depend on other images.
        precision: of the network's layers; boxes stay in float32.
    """

    def __init__(
        self,
        network: MaskRCNN,
        teacher_id: str,
        threads: int = 1,
        batch_size: int = 1,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.network = network.eval()
        self.teacher_id = teacher_id
        self._threads = threads
        self._batches = ImageBatches(batch_size)
        self._device = next(network.parameters()).device
        if precision != torch.float32:
            heads = network.roi_heads
            layers = [heads.box_head, heads.box_predictor, heads.mask_head, heads.mask_predictor]
            compute_in([network.backbone, network.rpn.head, *layers], self._device, precision)

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
        with torch.inference_mode(), fixed_threads(self._threads):
            return self._batches.run(self._found, images)

    def _found(self, images: Sequence[np.ndarray]) -> list[People]:
        network, heads = self.network, self.network.roi_heads
        batch = network_batch(images, network.transform, self._device)
        sizes = batch.image_sizes
        features = network.backbone(batch.tensors)
        proposals, _ = network.rpn(batch, features)
        pooled = heads.box_head(heads.box_roi_pool(features, proposals, sizes))
        boxes, scores, labels = heads.postprocess_detections(*heads.box_predictor(pooled), proposals, sizes)
        boxes = [one[label == PERSON] for one, label in zip(boxes, labels, strict=True)]
        scores = [one[label == PERSON] for one, label in zip(scores, labels, strict=True)]
        pooled = heads.mask_head(heads.mask_roi_pool(features, boxes, sizes))
        people = [torch.full_like(one, PERSON, dtype=torch.int64) for one in scores]
        masks = maskrcnn_inference(heads.mask_predictor(pooled), people)
        return [
            _people(image.shape[:2], resize_boxes(box, size, list(image.shape[:2])).cpu(), score.cpu(), mask.cpu())
            for image, size, box, score, mask in zip(images, sizes, boxes, scores, masks, strict=True)
        ]


def _people(size: tuple[int, int], boxes: Tensor, scores: Tensor, masks: Tensor) -> People:
    """From boxes (N, 4) x1, y1, x2, y2 in image pixels, scores (N,) and mask probabilities (N, 1, 28, 28)."""
    corners = boxes.numpy()
    return People.build(
        range(1, len(boxes) + 1),
        np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1),
        scores=scores.numpy(),
        rles=[_paste(mask, box, size) for mask, box in zip(masks, boxes, strict=True)],
    )


def _paste(mask: Tensor, box: Tensor, size: tuple[int, int]) -> Rle:
    """The mask (1, 28, 28) of a box x1, y1, x2, y2 as torchvision pastes it, float within the box alone."""
    padded, scale = expand_masks(mask[None], _MASK_PADDING)
    left, top, right, bottom = expand_boxes(box[None], scale).to(torch.int64)[0].tolist()
    sides = (max(bottom - top + 1, 1), max(right - left + 1, 1))
    pasted = functional.interpolate(padded, size=sides, mode="bilinear", align_corners=False)[0, 0]
    above, before = max(-top, 0), max(-left, 0)
    inside = pasted[above : size[0] - top, before : size[1] - left] >= MASK_THRESHOLD
    return region_rle(inside.numpy(), top + above, left + before, size)


def network_batch(images: Sequence[np.ndarray], transform: GeneralizedRCNNTransform, device: torch.device) -> ImageList:
    """The images normalised, resized and padded to one size as torchvision does it, channel by channel to spare memory.

    Args:
        images: (H, W, 3) uint8 RGB.
        transform: holds the sides to resize to, means and standard deviations.
    """
    inputs = [_network_input(image, transform, device) for image in images]
    sizes = [(one.shape[-2], one.shape[-1]) for one in inputs]
    return ImageList(transform.batch_images(inputs, size_divisible=transform.size_divisible), sizes)


def _network_input(image: np.ndarray, transform: GeneralizedRCNNTransform, device: torch.device) -> Tensor:
    """(3, h, w) float32."""
    height, width = image.shape[:2]
    scale = min(transform.min_size[-1] / min(height, width), transform.max_size / max(height, width))
    sides = (max(int(height * scale), 1), max(int(width * scale), 1))
    pixels = torch.from_numpy(np.ascontiguousarray(image)).to(device)
    mean, std = (torch.tensor(values, device=device) for values in (transform.image_mean, transform.image_std))
    resized = torch.empty((3, *sides), device=device)
    for channel in range(3):
        plane = pixels[..., channel].float().div_(255).sub_(mean[channel]).div_(std[channel])
        resized[channel] = functional.interpolate(plane[None, None], size=sides, mode="bilinear", align_corners=False)
    return resized
