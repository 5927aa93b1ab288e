"""Convolutions in 8-bit integers, for CPUs: about twice as many a second as in float32, at an error of one or two percent.

Weights are rounded once, to 127 steps either way of each output's largest (Krishnamoorthi 2018, per-channel quantisation); what
comes in is rounded anew each time, to 255 steps from the map's least to its largest value. Sums are whole numbers and so exact,
whatever the number of threads.
"""

from __future__ import annotations

import math
import platform
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import torch
from torch import Tensor, nn

from pipeline.errors import DataError
from trainer.models.backbones import BasicBlock, Bottleneck
from trainer.models.timm_features import TimmFeatures

_WEIGHT_STEPS, _INPUT_STEPS = 127, 255
_FEWEST_CHANNELS = 32
"""Convolutions with fewer inputs or outputs stay in float32: the first, which sees pixels, and the last, whose answers count."""
_UPSAMPLED = {"kernel_size": (4, 4), "stride": (2, 2), "padding": (1, 1), "output_padding": (0, 0), "dilation": (1, 1)}
"""The transposed convolutions that are known here: those of Simple Baselines' heads."""
_DAMAGED = "The model is damaged or has diverged: train or convert it again"
_TAPS = ((3, 1), (2, 0))
"""Of an even and an odd output: the kernel's places that meet the two inputs beside it."""


def computes_in_int8() -> bool:
    """Whether this machine's CPU has what these convolutions take: AVX2, and oneDNN in PyTorch."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return x86 and torch.backends.mkldnn.is_available() and bool(torch.cpu.get_capabilities().get("avx2"))


class _Rounded(NamedTuple):
    """A map in 8 bits: value = (number - zero) * step."""

    numbers: Tensor
    step: float
    zero: int


def _rounded(maps: Tensor) -> _Rounded:
    """(N, C, h, w) float32 -> the same in uint8, channels last.

    Raises:
        DataError: a number is infinite.
    """
    lines = maps.permute(0, 2, 3, 1).contiguous().flatten(0, 2)
    # OpenCV takes one pass where PyTorch takes three.
    least, most, *_ = cv2.minMaxLoc(lines.numpy())
    if not math.isfinite(most - least):
        raise DataError(f"int8: the network's features go from {least} to {most}, expected finite ones. {_DAMAGED}")
    least, most = min(least, 0.0), max(most, 0.0)
    step = max((most - least) / _INPUT_STEPS, torch.finfo(torch.float32).tiny)
    zero = round(-least / step)
    numbers = torch.from_numpy(cv2.convertScaleAbs(lines.numpy(), alpha=1 / step, beta=zero))
    number, _, height, width = maps.shape
    return _Rounded(numbers.unflatten(0, (number, height, width)).permute(0, 3, 1, 2), step, zero)


def _steps(weight: Tensor) -> Tensor:
    """Of (outputs, inputs, kh, kw): each output's step.

    Processors without VNNI add the products of two neighbouring inputs in 16 bits: 255 times the sum of two weights must
    not go beyond 32,767, or it would be cut off.
    """
    largest = weight.abs().amax((1, 2, 3))
    paired = weight.shape[1] // 2 * 2
    pairs = (weight[:, 0:paired:2] + weight[:, 1:paired:2]).abs().amax((1, 2, 3))
    return (torch.maximum(largest, pairs) / _WEIGHT_STEPS).clamp(min=torch.finfo(torch.float32).tiny)


class Int8Conv2d(nn.Module):
    """A convolution of one group, its products and sums in whole numbers.

    Attributes:
        rectified: a ReLU follows, which is done here.
    """

    def __init__(
        self,
        weight: Tensor,
        bias: Tensor | None,
        stride: Any = (1, 1),
        padding: Any = (0, 0),
        dilation: Any = (1, 1),
    ) -> None:
        """From a weight (outputs, inputs, kh, kw) and the rest of an nn.Conv2d.

        Raises:
            DataError: a weight is not finite.
        """
        super().__init__()
        if not weight.isfinite().all():
            raise DataError(f"int8: a weight of a convolution of {tuple(weight.shape)} is not finite. {_DAMAGED}")
        steps = _steps(weight.detach())
        numbers = torch.round(weight.detach() / steps[:, None, None, None]).to(torch.int8)
        self.rectified = False
        self._geometry = list(stride), list(padding), list(dilation)
        self._weight = torch.ops.onednn.qconv_prepack(
            numbers.contiguous(memory_format=torch.channels_last), steps, 1.0, 0, *self._geometry, 1, None
        )
        self._steps, self._zeros = steps, torch.zeros(len(steps), dtype=torch.int32)
        self._bias = None if bias is None else bias.detach().clone()

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h', w') float32, channels last."""
        numbers, step, zero = _rounded(maps)
        found: Tensor = torch.ops.onednn.qconv2d_pointwise(
            numbers, step, zero, self._weight, self._steps, self._zeros, self._bias, *self._geometry, 1,
            1.0, 0, torch.float32, "relu" if self.rectified else "none", [], "",
        )  # fmt: skip
        return found


class Int8Upsampling(nn.Module):
    """A transposed convolution with a kernel of 4 and a stride of 2, as one convolution with a kernel of 2.

    Each output sees 2 x 2 inputs, those at even and odd places other weights: four times the outputs, put side by side.
    """

    def __init__(self, convolution: nn.ConvTranspose2d) -> None:
        super().__init__()
        weight = convolution.weight.detach().transpose(0, 1)
        kinds = [weight[:, :, rows][:, :, :, columns] for rows in _TAPS for columns in _TAPS]
        bias = None if convolution.bias is None else convolution.bias.detach().repeat(len(kinds))
        self._outputs = convolution.out_channels
        self._convolution = Int8Conv2d(torch.cat(kinds), bias, padding=(1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, 2 h, 2 w)."""
        number, _, height, width = maps.shape
        found = self._convolution(maps).permute(0, 2, 3, 1).unflatten(3, (2, 2, self._outputs))
        result = found.new_empty(number, height, 2, width, 2, self._outputs)
        for row in (0, 1):
            for column in (0, 1):
                result[:, :, row, :, column] = found[:, row : row + height, column : column + width, row, column]
        return result.view(number, 2 * height, 2 * width, self._outputs).permute(0, 3, 1, 2)


def to_int8(network: nn.Module) -> None:
    """Replace, in place, the convolutions of a network that are worth it, in float32 and on the CPU.

    It can be neither copied nor saved after that. Backbones of timm stay as they are: some read their layers' weights.
    """
    for name, child in list(network.named_children()):
        if isinstance(child, TimmFeatures):
            continue
        replacement = _in_int8(child)
        if replacement is None:
            to_int8(child)
        else:
            setattr(network, name, replacement)
    if isinstance(network, BasicBlock | Bottleneck):
        _join_block(network)
    elif type(network) is nn.Sequential:
        _join_chain(network)


def _join_block(block: BasicBlock | Bottleneck) -> None:
    """The convolutions of a residual block but the last, behind which the shortcut is added first."""
    for place in (1, 2):
        convolution, norm = getattr(block, f"conv{place}"), getattr(block, f"bn{place}")
        folded = isinstance(convolution, Int8Conv2d) and isinstance(norm, nn.Identity)
        if folded and hasattr(block, f"conv{place + 1}"):
            convolution.rectified = True
            setattr(block, f"relu{place}", nn.Identity())


def _join_chain(chain: nn.Sequential) -> None:
    """Convolution, folded norm and ReLU in a row."""
    places = [place for place, layer in enumerate(chain) if type(layer) is not nn.Identity]
    for before, place in pairwise(places):
        convolution = chain[before]
        if isinstance(convolution, Int8Conv2d) and type(chain[place]) is nn.ReLU:
            convolution.rectified = True
            chain[place] = nn.Identity()


def _in_int8(layer: nn.Module) -> nn.Module | None:
    """What computes a layer in 8 bits; None where there is no such thing or it is not worth it."""
    # Exactly these: kinds of them compute something else.
    if type(layer) is nn.Conv2d and _worth_it(layer):
        return Int8Conv2d(layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation)
    if type(layer) is nn.ConvTranspose2d and _worth_it(layer):
        return Int8Upsampling(layer) if all(getattr(layer, key) == value for key, value in _UPSAMPLED.items()) else None
    return None


def _worth_it(convolution: nn.Conv2d | nn.ConvTranspose2d) -> bool:
    plain = convolution.groups == 1 and not isinstance(convolution.padding, str) and convolution.padding_mode == "zeros"
    return plain and min(convolution.in_channels, convolution.out_channels) >= _FEWEST_CHANNELS
