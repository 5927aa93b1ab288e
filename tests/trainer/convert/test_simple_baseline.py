"""Checkpoints of Xiao et al.: every weight finds its place, the heatmaps are those of a network with their key names.

benchmarks/parity.py shows the same beside their own code.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline.errors import DataError, ParamsError
from pipeline.pose import PoseSettings, load_network
from pipeline.pose.loading import load_estimator
from trainer.convert import convert_simple_baseline


class Bottleneck(nn.Module):
    """A block with their names, the stride in the 3x3 convolution."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
        if stride > 1 or inputs != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, maps: Tensor) -> Tensor:
        out = torch.relu(self.bn1(self.conv1(maps)))
        out = torch.relu(self.bn2(self.conv2(out)))
        skipped = self.downsample(maps) if hasattr(self, "downsample") else maps
        return torch.relu(self.bn3(self.conv3(out)) + skipped)


class TheirNetwork(nn.Module):
    """ResNet-50, three transposed convolutions of 32 channels, a 1x1 convolution."""

    def __init__(self, joints: int = 17, blocks: tuple[int, ...] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        inputs = 64
        for layer, count in enumerate(blocks):
            width, rows = 64 * 2**layer, []
            for number in range(count):
                rows.append(Bottleneck(inputs, width, 2 if layer and not number else 1))
                inputs = 4 * width
            self.add_module(f"layer{layer + 1}", nn.Sequential(*rows))
        head: list[nn.Module] = []
        for _ in range(3):
            head += [nn.ConvTranspose2d(inputs, 32, 4, 2, 1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
            inputs = 32
        self.deconv_layers = nn.Sequential(*head)
        self.final_layer = nn.Conv2d(32, joints, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = torch.max_pool2d(torch.relu(self.bn1(self.conv1(images))), 3, 2, 1)
        for layer in range(1, 5):
            maps = getattr(self, f"layer{layer}")(maps)
        return self.final_layer(self.deconv_layers(maps))


@pytest.fixture(scope="module")
def theirs() -> TheirNetwork:
    torch.manual_seed(2)
    network = TheirNetwork()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5), module.bias.normal_(std=0.1)
                module.running_mean.normal_(std=0.1), module.running_var.uniform_(0.5, 1.5)
    return network.eval()


def save(network: nn.Module, file: Path, wrapped: bool) -> Path:
    """As their train.py saves the last epoch's weights, or a checkpoint of DataParallel."""
    weights = network.state_dict()
    if wrapped:
        weights = {
            "epoch": 140, "model": "pose_resnet", "perf": np.float64(0.7), "optimizer": {"state": {}, "param_groups": []},
            "state_dict": {f"module.{key}": tensor for key, tensor in weights.items()},
        }  # fmt: skip
    torch.save(weights, file)
    return file


@pytest.mark.parametrize("wrapped", [False, True])
def test_the_heatmaps_are_those_of_their_network(theirs, tmp_path, wrapped):
    file = save(theirs, tmp_path / "pose_resnet_50_384x288.pth.tar", wrapped)
    told = convert_simple_baseline(file, tmp_path / "pose.safetensors")
    assert told == "Simple Baseline on a ResNet-50, input 384x288, joints of coco17"
    images = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        expected, found = theirs(images), load_network(tmp_path / "pose.safetensors")(images)
    assert found.shape == (2, 17, 16, 24) and expected.std() > 0.05
    assert (found - expected).abs().max() < 1e-5


def test_it_is_fed_and_read_as_by_their_code(theirs, tmp_path):
    file = save(theirs, tmp_path / "a_256x192.pth", False)
    convert_simple_baseline(file, tmp_path / "pose.safetensors")
    tool = load_estimator(tmp_path / "pose.safetensors", PoseSettings(flip=True))
    spec, options = tool.spec, tool.options
    assert (spec.size, spec.order, spec.mean, spec.std) == (
        (256, 192), "BGR", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225),
    )  # fmt: skip
    assert (options.depth, options.sigma_cells, options.cell_at, options.stride) == (50, 2.0, "first", 4)
    # Their feeding, written out: OpenCV's channels, then mean and deviation in this order.
    crop = np.random.default_rng(0).integers(0, 256, (1, 256, 192, 3), dtype=np.uint8)
    fed = (crop[0, :, :, ::-1].transpose(2, 0, 1) / 255 - np.array([0.485, 0.456, 0.406])[:, None, None]) / np.array(
        [0.229, 0.224, 0.225]
    )[:, None, None]
    images = torch.from_numpy(fed[None].astype(np.float32))
    with torch.inference_mode():
        plain = theirs(images).numpy()
        back = theirs(images.flip(3)).numpy()[..., ::-1].copy()
    for left, right in [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)]:
        back[:, [left, right]] = back[:, [right, left]]
    back[..., 1:] = back[..., :-1].copy()
    np.testing.assert_allclose(tool.heatmaps(crop), (plain + back) / 2, atol=1e-5)


def test_what_is_no_such_checkpoint_is_told(theirs, tmp_path):
    out = tmp_path / "pose.safetensors"
    file = save(theirs, tmp_path / "resnet.pth", True)
    with pytest.raises(ParamsError, match=r"--input-size: resnet\.pth does not tell the size of its crops"):
        convert_simple_baseline(file, out)
    with pytest.raises(ParamsError, match=r"--keypoint-set lip16: has 16 names, the checkpoint's network 17"):
        convert_simple_baseline(file, out, "lip16", (256, 192))
    with pytest.raises(ParamsError, match=r"--keypoint-set face: "):
        convert_simple_baseline(file, out, "face", (256, 192))
    weights = theirs.state_dict()
    for changed, told in (
        ({"layer9.conv1.weight": torch.zeros(1)}, r"key 'layer9.conv1.weight' is none of the authors' network"),
        ({"deconv_layers.0.bias": torch.zeros(32)}, r"weight 'upsample.0.bias' is too many"),
        ({"final_layer.weight": torch.zeros(17, 32, 3, 3)}, r"weight 'head.weight' is \(17, 32, 3, 3\), expected"),
        ({"layer3.6.conv1.weight": torch.zeros(1)}, r"its third layer has 7 blocks, expected one of the ResNets 50"),
    ):
        torch.save({**weights, **changed}, file)
        with pytest.raises(DataError, match=rf"resnet\.pth: {told}"):
            convert_simple_baseline(file, out, input_hw=(256, 192))
    del weights["final_layer.bias"]
    torch.save(weights, file)
    with pytest.raises(DataError, match=r"weight 'final_layer\.bias' is missing"):
        convert_simple_baseline(file, out, input_hw=(256, 192))
    assert not out.exists()
