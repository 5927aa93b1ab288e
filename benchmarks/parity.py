"""Do our networks give the outputs of the authors' code? Runs both side by side on the same random weights.

    python benchmarks/parity.py --corrpm CHECKOUT --mula CHECKOUT

The checkouts are of github.com/ziwei-zh/CorrPM and github.com/NieXC/pytorch-mula. Their network files are imported as they
are, under shims for what has gone since: CorrPM's CUDA norm (libs), ipdb, and PyTorch 0.2's bilinear upsampling, which
aligned corners. All weights and running statistics are drawn anew, scales of norms with both signs, saved as the authors'
training scripts save them, turned by `hpp convert-weights`, loaded, and fed the same images in evaluation mode. The largest
difference of an output must stay under 1e-4 in float64, where rounding hides nothing. In float32 a hundred layers of random
weights and an unscaled softmax turn the last bit into 1e-3; that difference is told beside it. The parameters that the authors'
networks carry without use are counted apart. Writes benchmarks/results/parity.json and prints the table.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import platform
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.shards.write import write_whole
from trainer.convert import convert_weights
from trainer.convert.mula import lip_order
from trainer.models import Prediction, load_model
from trainer.models.layers import resize

RESULT = Path("benchmarks/results/parity.json")
TOLERANCE = 1e-4


class ActivatedNorm(nn.Module):
    """CorrPM's in-place activated norm (its libs/src/bn.cu): scaled by abs(gamma) + eps, then a leaky ReLU of 0.01."""

    def __init__(self, channels: int, activation: str = "leaky_relu", affine: bool = True) -> None:
        super().__init__()
        self.activation = activation
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, maps: Tensor) -> Tensor:
        """Norm and activation of (N, C, h, w) by the running statistics."""
        scale = (self.weight.float().abs() + 1e-5).to(maps.dtype)  # in float32, as the kernel does
        normed = functional.batch_norm(maps, self.running_mean, self.running_var, scale, self.bias)
        return normed if self.activation == "none" else functional.leaky_relu(normed, 0.01)


def corrpm_network(checkout: Path) -> nn.Module:
    libs, ipdb = types.ModuleType("libs"), types.ModuleType("ipdb")
    libs.InPlaceABN = libs.InPlaceABNSync = ActivatedNorm  # type: ignore[attr-defined]
    ipdb.set_trace = breakpoint  # type: ignore[attr-defined]
    sys.modules |= {"libs": libs, "ipdb": ipdb}
    return imported(checkout, "networks.model").CorrPM_Model(20, 16)


def mula_network(checkout: Path, module: str, **options: Any) -> nn.Module:
    kept = nn.Upsample
    nn.Upsample = functools.partial(kept, align_corners=True)  # type: ignore[misc,assignment]
    try:
        nets = imported(checkout, f"nets.{module}")
        return (nets.MuLA_VGG_MSRAInit if "vgg" in module else nets.MuLA_HG_MSRAInit)(**options)
    finally:
        nn.Upsample = kept  # type: ignore[misc]


def imported(checkout: Path, name: str) -> types.ModuleType:
    sys.path.insert(0, str(checkout))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(checkout))


@torch.no_grad()
def randomise(network: nn.Module, images: Tensor) -> None:
    """Norms of random scale, both signs, and shift; running statistics near those of the images, so that values stay sane."""
    for module in network.modules():
        if hasattr(module, "running_var"):
            module.weight.uniform_(0.2, 0.6).mul_(torch.randint(0, 2, module.weight.shape) * 2 - 1)
            module.bias.normal_(std=0.1)
            module.register_forward_pre_hook(set_statistics)
        elif getattr(module, "bias", None) is not None:
            module.bias.normal_(std=0.1)
    network.eval()(images)
    for module in network.modules():
        module._forward_pre_hooks.clear()


def set_statistics(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    maps = inputs[0].transpose(0, 1).flatten(1)
    norm.running_mean.copy_(maps.mean(1) + 0.1 * torch.randn(len(maps)) * maps.std(1))
    norm.running_var.copy_(maps.var(1) * (0.5 + torch.rand(len(maps))) + 1e-3)


def corrpm_outputs(theirs: Any, ours: Prediction, _: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    (coarse, refined), (edge,), (pose,) = theirs
    return {
        "coarse parsing": (coarse, ours.parsing[0]),
        "refined parsing": (refined, ours.parsing[1]),
        "edge": (edge, ours.edge[0]),
        "pose": (pose, ours.pose[0]),
    }


def mula_outputs(theirs: Any, ours: Prediction, images: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    poses, parsings = (found if isinstance(found, list) else [found] for found in theirs)
    size = (images.shape[2], images.shape[3])
    pairs = {}
    for stage, (pose, parsing) in enumerate(zip(poses, parsings, strict=True)):
        logits = resize(ours.parsing[stage], size, align_corners=True)
        pairs[f"pose, stage {stage + 1}"] = (lip_order(pose, axis=1), ours.pose[stage])
        pairs[f"parsing, stage {stage + 1}"] = (parsing, functional.log_softmax(logits, dim=1))
    return pairs


def compare(
    name: str, source: str, network: nn.Module, images: Tensor, pairs: Callable[..., dict[str, tuple[Tensor, Tensor]]]
) -> dict[str, Any]:
    """Both networks on the same weights and images: largest differences per output, and the numbers of parameters."""
    randomise(network, images)
    with tempfile.TemporaryDirectory() as folder:
        saved, turned = Path(folder) / "theirs.pth", Path(folder) / "ours.pt"
        weights = {f"module.{key}": tensor for key, tensor in network.state_dict().items()}
        torch.save(weights if source == "corrpm" else {"epoch": 1, "state_dict": weights}, saved)
        model = convert_weights(source, saved, turned)
        ours = load_model(turned)
    used = parameters_used(network, images)
    rounded = differences(network, ours, images, pairs)
    rows = {}
    for output, difference in differences(network.double(), ours.double(), images.double(), pairs).items():
        rows[output] = {"float64": difference, "float32": rounded[output]}
        verdict = "agrees" if difference < TOLERANCE else "DIFFERS"
        print(
            f"{name:20} {output:18} {difference:9.2e} in float64, {rounded[output]:9.2e} in float32  {verdict}",
            flush=True,
        )
    counts = {
        "theirs": sum(parameter.numel() for parameter in network.parameters()),
        "theirs in use": used,
        "ours": sum(parameter.numel() for parameter in ours.parameters()),
    }
    print(f"{name:20} parameters         {', '.join(f'{key} {count:,}' for key, count in counts.items())}")
    return {"model": model, "input": list(images.shape), "outputs": rows, "parameters": counts}


@torch.no_grad()
def differences(
    network: nn.Module, ours: nn.Module, images: Tensor, pairs: Callable[..., dict[str, tuple[Tensor, Tensor]]]
) -> dict[str, float]:
    outputs = pairs(network(images), ours(images), images)
    return {output: float((theirs - own).abs().max()) for output, (theirs, own) in outputs.items()}


def parameters_used(network: nn.Module, images: Tensor) -> int:
    """Parameters that a gradient reaches from some output."""
    flat = [network(images)]
    while any(isinstance(part, list | tuple) for part in flat):
        flat = [one for part in flat for one in (part if isinstance(part, list | tuple) else [part])]
    torch.stack([output.square().mean() for output in flat]).sum().backward()
    count = sum(parameter.numel() for parameter in network.parameters() if parameter.grad is not None)
    network.zero_grad(set_to_none=True)
    return count


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corrpm", type=Path, help="checkout of CorrPM")
    options.add_argument("--mula", type=Path, help="checkout of pytorch-mula")
    options.add_argument("--stages", type=int, default=5, help="of MuLA's hourglass network")
    chosen = options.parse_args()
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    results: dict[str, Mapping[str, Any]] = {}
    if chosen.corrpm:
        # No batch of one kind of statistics: two images of other brightness.
        images = torch.randn(2, 3, 96, 128) * torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
        results["CorrPM"] = compare("CorrPM", "corrpm", corrpm_network(chosen.corrpm), images, corrpm_outputs)
    if chosen.mula:
        images = torch.rand(2, 3, 256, 256) - 0.5
        network = mula_network(chosen.mula, "hourglass_based_network", stage_num_of_encoder=chosen.stages)
        name = f"MuLA, {chosen.stages} hourglasses"
        results[name] = compare(name, "mula", network, images, mula_outputs)
        network = mula_network(chosen.mula, "vgg_based_network")
        results["MuLA, VGG16-FCN"] = compare("MuLA, VGG16-FCN", "mula", network, images, mula_outputs)
    content = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__, "networks": results}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_whole(RESULT, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
