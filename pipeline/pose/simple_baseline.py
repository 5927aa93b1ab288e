"""Simple Baseline (Xiao et al. 2018): a residual trunk, transposed convolutions, one heatmap per joint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.detection.residual import ResidualTrunk
from pipeline.detection.threads import fixed_threads
from pipeline.geometry.affine import invert, transform_points
from pipeline.pose.crops import crop_matrix, warp_crop
from pipeline.pose.decoding import cells_to_input, decode_heatmaps, merge_flipped
from pipeline.taxonomy import keypoint_set
from pipeline.teacher_file import InputSpec, build_options, read_teacher

ARCHITECTURE = "simple_baseline_basic"
THREADS = 1
"""Of one operation on the CPU, so that the joints are the same on any number of cores."""


@dataclass(frozen=True)
class PoseOptions:
    """What the network is built from.

    Attributes:
        widths: channels of the trunk's layers.
        blocks: basic blocks per layer.
        deconv_widths: channels of the transposed convolutions, each of which doubles the resolution.
        keypoint_set: the joints, by name of their set.
    """

    widths: tuple[int, ...] = (32, 64, 128, 256)
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    deconv_widths: tuple[int, ...] = (128, 96, 64)
    keypoint_set: str = "coco17"

    @property
    def stride(self) -> int:
        """Input pixels per heatmap cell."""
        return 2 ** (len(self.widths) + 1 - len(self.deconv_widths))


INPUT = InputSpec(size=(128, 96))
"""The small teacher's input: crops of 128 by 96 pixels."""


class SimpleBaseline(nn.Module):
    """The network; its weights start random, from torch's generator."""

    def __init__(self, options: PoseOptions) -> None:
        super().__init__()
        self.stride = options.stride
        self.trunk = ResidualTrunk(options.widths, options.blocks)
        layers: list[nn.Module] = []
        inputs = options.widths[-1]
        for width in options.deconv_widths:
            deconv = nn.ConvTranspose2d(inputs, width, 4, stride=2, padding=1, bias=False)
            nn.init.normal_(deconv.weight, std=(2 / (4 * inputs)) ** 0.5)  # four of its 16 taps reach an output pixel
            layers += [deconv, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            inputs = width
        self.upsample = nn.Sequential(*layers)
        self.head = nn.Conv2d(inputs, len(keypoint_set(options.keypoint_set)), 1)
        nn.init.normal_(self.head.weight, std=0.001)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) normalised crops -> (N, K, H / stride, W / stride) heatmaps."""
        return self.head(self.upsample(self.trunk(images)))


class SimpleBaselineEstimator:
    """A PoseEstimator around a SimpleBaseline.

    The network always sees `batch_size` crops, the missing ones black, so that the arithmetic for one crop is the
    same whoever shares its batch.
    """

    def __init__(
        self,
        network: SimpleBaseline,
        spec: InputSpec,
        keypoints: str,
        teacher_id: str,
        flip: bool = True,
        batch_size: int = 8,
    ) -> None:
        self.network = network.eval()
        self.spec = spec
        self.keypoint_set = keypoints
        self.teacher_id = teacher_id
        self.flip = flip
        self.batch_size = batch_size
        self._hflip_index = keypoint_set(keypoints).hflip_index
        self._device = next(network.parameters()).device

    def estimate(self, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """(N, K, 3) float32 joints of the people of one image; see PoseEstimator."""
        return self.estimate_many([image], [boxes])[0]

    def estimate_many(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One (N, K, 3) float32 array per image; see PoseEstimator.

        Raises:
            ValueError: an image is not (H, W, 3) uint8, boxes are not (N, 4), a box has no area, or the lists differ
                in length.
        """
        people = [(image, box) for image, rows in zip(images, boxes, strict=True) for box in _checked(image, rows)]
        joints = np.zeros((len(people), len(self._hflip_index), 3), np.float32)
        for start in range(0, len(people), self.batch_size):
            batch = people[start : start + self.batch_size]
            joints[start : start + len(batch)] = self._estimate_batch(batch)
        starts = np.cumsum([0, *(len(rows) for rows in boxes)])
        return [joints[start : start + len(rows)] for start, rows in zip(starts[:-1], boxes, strict=True)]

    def heatmaps(self, crops: np.ndarray) -> np.ndarray:
        """(N, K, h, w) float32 maps of (N, H, W, 3) uint8 crops, N the batch size; with `flip` the mean of both views."""
        inputs = input_tensor(crops, self.spec).to(self._device)
        with torch.inference_mode(), fixed_threads(THREADS):
            maps = self.network(inputs).cpu().numpy()
            if not self.flip:
                return maps
            flipped = self.network(inputs.flip(3)).cpu().numpy()
        return merge_flipped(maps, flipped, self._hflip_index)

    def _estimate_batch(self, people: Sequence[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """(n, K, 3) joints of at most `batch_size` people."""
        crops = np.zeros((self.batch_size, *self.spec.size, 3), np.uint8)
        matrices = []
        for place, (image, box) in enumerate(people):
            matrices.append(crop_matrix(box, self.spec.size))
            crops[place] = warp_crop(image, matrices[-1], self.spec.size)
        decoded = decode_heatmaps(self.heatmaps(crops)[: len(people)])
        for joints, matrix in zip(decoded, matrices, strict=True):
            joints[:, :2] = transform_points(invert(matrix), cells_to_input(joints[:, :2], self.network.stride))
        decoded[..., 2] = decoded[..., 2].clip(0, 1)
        return decoded


def input_tensor(crops: np.ndarray, spec: InputSpec) -> Tensor:
    """(N, 3, H, W) float32 network input of (N, H, W, 3) uint8 RGB crops."""
    pixels = crops if spec.order == "RGB" else crops[..., ::-1]
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 255
    return (values - torch.tensor(spec.mean)[:, None, None]) / torch.tensor(spec.std)[:, None, None]


def load_simple_baseline(file: str | Path, flip: bool = True, device: str = "cpu") -> SimpleBaselineEstimator:
    """The estimator of a file that fit_pose wrote.

    Raises:
        DataError: the file is missing, damaged, or holds another network.
    """
    teacher = read_teacher(Path(file), ARCHITECTURE)
    options: PoseOptions = build_options(PoseOptions, teacher)
    network = SimpleBaseline(options)
    teacher.fill(network)
    return SimpleBaselineEstimator(network.to(device), teacher.input, options.keypoint_set, teacher.teacher_id, flip)


def _checked(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"image: {image.dtype} of shape {image.shape}, expected uint8 (H, W, 3)")
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes: shape {boxes.shape}, expected (N, 4)")
    return boxes
