"""The pose estimator around a Keypoint R-CNN: whole images go through its trunk, given boxes through its keypoint head.

The network's own search for people is not run: each box takes the place of a detection, as it is, so that the joints
belong to the person asked for, whoever else is in the image. No box is enlarged: the head learned on boxes that fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from pipeline.detection.batches import GPU_BATCH, ShrinkingBatches, image_name
from pipeline.detection.threads import fixed_threads
from pipeline.pose.base import DEFAULT_SETTINGS, PoseSettings, checked_people
from pipeline.taxonomy import keypoint_set

Asked = tuple[np.ndarray, np.ndarray]
"""(H, W, 3) uint8 RGB image, and the (P, 4) boxes x, y, w, h of its people."""


class RoiMaps(NamedTuple):
    """What a network gives for the boxes of one image.

    Attributes:
        maps: (P, K, s, s) logits over the area of each box.
        rois: (P, 4) x1, y1, x2, y2 of the boxes in pixels of the network's input.
        scale: (x, y) input pixels per image pixel.
    """

    maps: Tensor
    rois: Tensor
    scale: tuple[float, float]


class RoiNetwork(Protocol):
    """A Keypoint R-CNN.

    Attributes:
        device: where it runs.
        origin: image coordinate, as the network counts, of the first pixel's centre as its joints are taught.
    """

    device: torch.device
    origin: float

    def roi_maps(self, images: Sequence[np.ndarray], corners: Sequence[np.ndarray]) -> list[RoiMaps]:
        """Maps of the boxes of some images.

        Args:
            images: (H, W, 3) uint8 RGB.
            corners: (P, 4) float32 x1, y1, x2, y2 per image; a box covers the area between, pixel i that from i to i + 1.
        """

    def peaks(self, maps: Tensor, rois: Tensor) -> Tensor:
        """(P, K, 3) x, y in the network's input and the logit there, by the network's own decoding."""


class RcnnEstimator:
    """A PoseEstimator around a Keypoint R-CNN.

    On the CPU one image goes through the network at a time, so that a result depends on no other image.
    A joint's confidence is what detectron2 gives as its score: the exponential of its logit over the sum of those of
    the box's map, at most 1.
    """

    def __init__(
        self,
        network: RoiNetwork,
        keypoints: str,
        teacher_id: str,
        settings: PoseSettings = DEFAULT_SETTINGS,
        threads: int = 1,
    ) -> None:
        self.network = network
        self.keypoint_set = keypoints
        self.teacher_id = teacher_id
        self.settings = settings
        self._threads = threads
        self._hflip_index = keypoint_set(keypoints).hflip_index
        self.batches: ShrinkingBatches[Asked] = ShrinkingBatches(
            GPU_BATCH if network.device.type == "cuda" else 1, lambda asked: image_name(asked[0])
        )

    @property
    def halvings(self) -> int:
        """How often a batch did not fit the GPU's memory."""
        return self.batches.halvings

    def estimate(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """(N, K, 3) float32 joints of the people of one image; see PoseEstimator."""
        return self.estimate_many([image], [boxes])[0]

    def estimate_many(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One (N, K, 3) float32 array per image; see PoseEstimator.

        Raises:
            ValueError: an image is not (H, W, 3) uint8, boxes are not (N, 4), a box has no area, or the lists differ
                in length.
        """
        asked = [(image, checked_people(image, rows)) for image, rows in zip(images, boxes, strict=True)]
        peopled = [pair for pair in asked if len(pair[1])]
        found = iter(self.batches.run(self._estimate_batch, peopled))
        nobody = np.zeros((0, len(self._hflip_index), 3), np.float32)
        return [next(found) if len(rows) else nobody for _, rows in asked]

    def _estimate_batch(self, pairs: Sequence[Asked]) -> list[np.ndarray]:
        images = [image for image, _ in pairs]
        corners = [
            np.concatenate([rows[:, :2], rows[:, :2] + rows[:, 2:]], axis=1, dtype=np.float32) for _, rows in pairs
        ]
        with torch.inference_mode(), fixed_threads(self._threads):
            found = self.network.roi_maps(images, corners)
            if self.settings.flip:
                mirrored = [image[:, ::-1].copy() for image in images]
                turned = [_mirrored(rows, image.shape[1]) for rows, image in zip(corners, images, strict=True)]
                others = self.network.roi_maps(mirrored, turned)
                found = [self._mean(plain, other) for plain, other in zip(found, others, strict=True)]
            return [self._joints(one) for one in found]

    def _mean(self, plain: RoiMaps, mirrored: RoiMaps) -> RoiMaps:
        back = mirrored.maps.flip(3)[:, torch.from_numpy(self._hflip_index).to(mirrored.maps.device)]
        return plain._replace(maps=(plain.maps + back) / 2)

    def _joints(self, found: RoiMaps) -> np.ndarray:
        """(P, K, 3) x, y in image pixels, confidence."""
        peaks = self.network.peaks(found.maps, found.rois)
        places = peaks[..., :2] / found.maps.new_tensor(found.scale) - self.network.origin
        confidence = (peaks[..., 2:] - found.maps.flatten(2).logsumexp(2, keepdim=True)).exp().clamp(max=1)
        return torch.cat([places, confidence], dim=2).cpu().numpy().astype(np.float32)


def _mirrored(corners: np.ndarray, width: int) -> np.ndarray:
    left, right = width - corners[:, 2], width - corners[:, 0]
    return np.stack([left, corners[:, 1], right, corners[:, 3]], axis=1)
