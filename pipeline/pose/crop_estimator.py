"""The pose estimator around a network that sees one person's crop at a time and gives heatmaps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.detection.batches import ShrinkingBatches
from pipeline.detection.threads import fixed_threads
from pipeline.geometry.affine import invert, transform_points
from pipeline.pose.base import DEFAULT_SETTINGS, PoseSettings, checked_people
from pipeline.pose.crops import crop_matrix, warp_crop
from pipeline.pose.dark import decode_dark
from pipeline.pose.decoding import cells_to_input, decode_heatmaps, merge_flipped
from pipeline.pose.simple_baseline import PoseOptions, ResnetOptions, input_tensor
from pipeline.taxonomy import keypoint_set
from pipeline.teacher_file import InputSpec

CPU_BATCH = 8
GPU_BATCH = 64


class CropEstimator:
    """A PoseEstimator around a SimpleBaseline.

    On the CPU the network always sees a full batch, the missing crops black, so that the arithmetic for one crop is
    the same whoever shares its batch. On a GPU it computes in half precision, and batches that do not fit are halved.

    Args:
        threads: of one operation on the CPU.
        batch_size: crops at a time; None is CPU_BATCH or GPU_BATCH.
    """

    def __init__(
        self,
        network: nn.Module,
        spec: InputSpec,
        options: PoseOptions | ResnetOptions,
        teacher_id: str,
        settings: PoseSettings = DEFAULT_SETTINGS,
        threads: int = 1,
        batch_size: int | None = None,
    ) -> None:
        self.network = network.eval()
        self.spec = spec
        self.options = options
        self.keypoint_set = options.keypoint_set
        self.teacher_id = teacher_id
        self.settings = settings
        self._threads = threads
        self._device = next(network.parameters()).device
        self._on_gpu = self._device.type == "cuda"
        self.batches: ShrinkingBatches[tuple[np.ndarray, np.ndarray]] = ShrinkingBatches(
            batch_size or (GPU_BATCH if self._on_gpu else CPU_BATCH), lambda person: "one person"
        )
        self._hflip_index = keypoint_set(options.keypoint_set).hflip_index

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
        people = [
            (image, box) for image, rows in zip(images, boxes, strict=True) for box in checked_people(image, rows)
        ]
        found = self.batches.run(self._estimate_batch, people)
        joints = np.array(found, np.float32).reshape(-1, len(self._hflip_index), 3)
        return np.split(joints, np.cumsum([len(rows) for rows in boxes])[:-1]) if len(boxes) else []

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        """(N, K, h, w) float32 maps of (N, H, W, 3) uint8 crops; with `flip` the mean of both views."""
        inputs = input_tensor(crops, self.spec).to(self._device)
        with torch.inference_mode(), fixed_threads(self._threads):
            maps = self._maps(inputs)
            if not self.settings.flip:
                return maps
            flipped = self._maps(inputs.flip(3))
        return merge_flipped(maps, flipped, self._hflip_index, self.options.cell_at)

    def _maps(self, inputs: Tensor) -> np.ndarray:
        with torch.autocast(self._device.type, torch.float16, enabled=self._on_gpu):
            return self.network(inputs).float().cpu().numpy()

    def _estimate_batch(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """(K, 3) float32 joints of each of at most a batch of people."""
        size = len(people) if self._on_gpu else self.batches.size
        crops = np.zeros((size, *self.spec.size, 3), np.uint8)
        matrices = []
        for place, (image, box) in enumerate(people):
            matrices.append(crop_matrix(box, self.spec.size))
            crops[place] = warp_crop(image, matrices[-1], self.spec.size)
        decoded = self._decoded(self.heatmaps(crops)[: len(people)])
        for joints, matrix in zip(decoded, matrices, strict=True):
            in_input = cells_to_input(joints[:, :2], self.options.stride, self.options.cell_at)
            joints[:, :2] = transform_points(invert(matrix), in_input)
        decoded[..., 2] = decoded[..., 2].clip(0, 1)
        return list(decoded.astype(np.float32))

    def _decoded(self, maps: np.ndarray) -> np.ndarray:
        if self.settings.decoding == "dark":
            return decode_dark(maps, self.options.sigma_cells)
        return decode_heatmaps(maps)
