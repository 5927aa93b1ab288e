"""Layers that a trained network no longer needs apart: norms folded into convolutions, taps that only see padding."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from trainer.models.backbones import BasicBlock, Bottleneck
from trainer.models.layers import size_of


def fold_norms(network: nn.Module) -> None:
    """Fold every norm into the convolution that it directly follows, in place; the network is in evaluation mode.

    Pairs are neighbours in a Sequential, and conv1 and bn1, conv2 and bn2 ... of the residual blocks. Norms that follow
    something else (pre-activation blocks, timm's own blocks) stay.
    """
    for module in list(network.modules()):
        if type(module) is nn.Sequential:
            for place in range(len(module) - 1):
                _fold(module, str(place), str(place + 1))
        elif isinstance(module, BasicBlock | Bottleneck):
            for number in (1, 2, 3):
                _fold(module, f"conv{number}", f"bn{number}")


def _fold(owner: nn.Module, first: str, second: str) -> None:
    convolution, norm = getattr(owner, first, None), getattr(owner, second, None)
    if type(norm) is nn.BatchNorm2d and isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d):
        transposed = isinstance(convolution, nn.ConvTranspose2d)
        setattr(owner, first, fuse_conv_bn_eval(convolution, norm, transpose=transposed))
        setattr(owner, second, nn.Identity())


class WithoutPadding(nn.Module):
    """A dilated 3x3 convolution that leaves out the taps that see nothing but padding.

    At a dilation of 24 on maps of 24 x 24 only the middle tap sees the map.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.dilation = convolution.dilation
        self.convolution = convolution
        self.middle = _convolution_of(convolution.weight[:, :, 1, 1], convolution.bias)

    def forward(self, features: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h, w)."""
        height, width = size_of(features)
        rows, columns = self.dilation
        found: Tensor = (self.middle if height <= rows and width <= columns else self.convolution)(features)
        return found


def drop_padded_taps(network: nn.Module) -> None:
    """Wrap, in place, every dilated 3x3 convolution that keeps the size and whose dilation may exceed its maps."""
    for owner in list(network.modules()):
        for name, child in list(owner.named_children()):
            if (
                type(child) is nn.Conv2d
                and child.kernel_size == (3, 3)
                and child.stride == (1, 1)
                and child.groups == 1
                and child.padding == child.dilation
                and min(child.dilation) > 4
            ):
                setattr(owner, name, WithoutPadding(child))


class Joined(nn.Module):
    """A 1x1 convolution of several maps' concatenation, each map convolved at its own size and only then resized.

    Equal to resizing first, as both are linear and a resize's weights sum to 1; it costs less where a map is smaller
    than the result.
    """

    def __init__(self, weights: list[Tensor], bias: Tensor | None, activation: nn.Module, align_corners: bool) -> None:
        """Around one weight (outputs, inputs) per map."""
        super().__init__()
        self.convolutions = nn.ModuleList(
            _convolution_of(weight, bias if place == 0 else None) for place, weight in enumerate(weights)
        )
        self.activation = activation
        self.align_corners = align_corners

    def forward(self, maps: list[Tensor], size: tuple[int, int]) -> Tensor:
        """One (N, inputs, h, w) per weight -> (N, outputs, *size)."""
        first, *others = (convolve(fed) for convolve, fed in zip(self.convolutions, maps, strict=True))
        total = self._to(size, first)
        for other in others:
            total += self._to(size, other)
        return self.activation(total)

    def _to(self, size: tuple[int, int], maps: Tensor) -> Tensor:
        if size_of(maps) == size:
            return maps
        return functional.interpolate(maps, size=size, mode="bilinear", align_corners=self.align_corners)


def _convolution_of(weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """The 1x1 convolution with a weight (outputs, inputs) of its own."""
    # Made without storage: drawing weights would move the random numbers of whoever trains meanwhile.
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=bias is not None, device="meta")
    convolution.weight = nn.Parameter(weight[:, :, None, None].detach().clone())
    convolution.bias = None if bias is None else nn.Parameter(bias.detach().clone())
    return convolution
