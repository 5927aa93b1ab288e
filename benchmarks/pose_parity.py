"""Do converted Simple Baseline checkpoints give the heatmaps of the authors' code? Runs both side by side.

    python benchmarks/pose_parity.py CHECKOUT

The checkout is of github.com/microsoft/human-pose-estimation.pytorch, whose network file is imported as it is. For each of its
ResNets, 50, 101 and 152, all weights and running statistics are drawn anew, saved as the authors' training script saves them
under DataParallel, turned by the code of `hpp convert-weights`, loaded, and fed the same normalised crops. The largest
difference of a heatmap's value must stay under 1e-5 times the largest value. Writes benchmarks/results/pose_parity.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from parity import imported, randomise
from torch import nn

from pipeline.pose import load_network
from pipeline.shards.write import write_whole
from trainer.convert import convert_simple_baseline

RESULT = Path("benchmarks/results/pose_parity.json")
TOLERANCE = 1e-5
SIZES = {50: (256, 192), 101: (256, 192), 152: (384, 288)}


def their_network(checkout: Path, depth: int) -> nn.Module:
    """Their get_pose_net with the configuration of their COCO experiments."""
    extra = SimpleNamespace(
        NUM_LAYERS=depth,
        DECONV_WITH_BIAS=False,
        NUM_DECONV_LAYERS=3,
        NUM_DECONV_FILTERS=[256, 256, 256],
        NUM_DECONV_KERNELS=[4, 4, 4],
        FINAL_CONV_KERNEL=1,
    )
    model = SimpleNamespace(EXTRA=extra, NUM_JOINTS=17, STYLE="pytorch", INIT_WEIGHTS=False)
    network: nn.Module = imported(checkout / "lib", "models.pose_resnet").get_pose_net(
        SimpleNamespace(MODEL=model), is_train=False
    )
    return network.eval()


def compare(checkout: Path, depth: int) -> dict[str, Any]:
    """Both networks on the same weights and crops: the largest difference, the largest value, the keys."""
    network, (height, width) = their_network(checkout, depth), SIZES[depth]
    images = torch.randn(2, 3, height, width) * torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)
    randomise(network, images)
    with tempfile.TemporaryDirectory() as folder:
        saved, turned = (
            Path(folder) / f"pose_resnet_{depth}_{height}x{width}.pth.tar",
            Path(folder) / "ours.safetensors",
        )
        weights = {f"module.{key}": tensor for key, tensor in network.state_dict().items()}
        torch.save({"epoch": 140, "model": "pose_resnet", "state_dict": weights}, saved)
        told = convert_simple_baseline(saved, turned)
        ours = load_network(turned)
    with torch.inference_mode():
        theirs, own = network(images), ours(images)
    difference, largest = float((theirs - own).abs().max()), float(theirs.abs().max())
    verdict = "agrees" if difference <= TOLERANCE * largest else "DIFFERS"
    print(
        f"{told}: {tuple(theirs.shape)}, largest difference {difference:.2e} of values up to {largest:.2f}: {verdict}"
    )
    return {"network": told, "heatmaps": list(theirs.shape), "difference": difference, "largest": largest}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("checkout", type=Path)
    options.add_argument("--depth", type=int, choices=tuple(SIZES), action="append", help="this ResNet only")
    chosen = options.parse_args()
    torch.manual_seed(0)
    results = [compare(chosen.checkout, depth) for depth in chosen.depth or SIZES]
    content = {"machine": platform.processor() or platform.machine(), "torch": torch.__version__, "networks": results}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    write_whole(RESULT, (json.dumps(content, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
