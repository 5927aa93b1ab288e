"""A trained network made ready to predict: the same answers, sooner."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from trainer.models.corrpm import CorrPM
from trainer.models.corrpm_prediction import CorrPMPrediction
from trainer.models.folding import drop_padded_taps, fold_norms
from trainer.models.int8 import computes_in_int8, to_int8
from trainer.models.mula import MuLA
from trainer.models.prediction import ParsingNetwork, Prediction


def for_prediction(
    network: ParsingNetwork, *, parsing_only: bool = False, dtype: torch.dtype = torch.float32
) -> ParsingNetwork:
    """A network that gives the answers of a trained one, with less to compute. The trained one stays as it is.

    Norms are folded into convolutions, taps that see only padding are left out, and CorrPM's linear layers are merged
    and moved before its upsampling. In float32 answers are equal up to rounding: about 1e-6 of the largest value.

    Args:
        network: with trained weights; its norms' running statistics are used.
        parsing_only: give no edges, joints and centroids, and leave out what only they need.
        dtype: that convolutions and matrix products are computed in; fastest_dtype says what suits the processor. int8
            is for float32 networks on the CPUs that computes_in_int8 knows; it moves labels at the borders of parts.

    Returns:
        A network in evaluation mode whose Prediction holds one map, the answer, of each head, of the images' type.

    Raises:
        ValueError: int8 is asked for, and this machine's processor does not compute in it.
    """
    if dtype == torch.int8 and not computes_in_int8():
        raise ValueError("dtype: torch.int8, which takes an x86 processor with AVX2, and PyTorch with oneDNN")
    return _ForPrediction(network, parsing_only, dtype).eval()


def fastest_dtype() -> torch.dtype:
    """bfloat16 where this machine's CPU computes in it (AVX-512 BF16, AMX, Arm's BF16), else float32."""
    found = torch.cpu.get_capabilities()
    return torch.bfloat16 if any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")) else torch.float32


class _ForPrediction(ParsingNetwork):
    """The prepared network behind the face of the trained one."""

    def __init__(self, network: ParsingNetwork, parsing_only: bool, dtype: torch.dtype) -> None:
        super().__init__()
        self.align_corners, self.pose_background = network.align_corners, network.pose_background
        self.feeding = network.feeding
        self.parsing_only, self.product_dtype = parsing_only, dtype
        prepared = copy.deepcopy(network).eval().requires_grad_(False)
        fold_norms(prepared)
        drop_padded_taps(prepared)
        if isinstance(prepared, MuLA) and parsing_only:
            # The last stage's pose is tailored for the pose classifier alone.
            tailoring: Any = prepared.exchanges[-1].tailoring
            if "pose" in tailoring:
                del tailoring["pose"]
        self.network = CorrPMPrediction(prepared, parsing_only) if isinstance(prepared, CorrPM) else prepared
        self.network.requires_grad_(False).to(memory_format=torch.channels_last)
        if dtype == torch.int8:
            to_int8(self.network)

    def forward(self, images: Tensor) -> Prediction:
        """Images (N, 3, H, W) -> the answers."""
        self.check_images(images)
        if self.product_dtype == torch.int8 and not len(images):
            raise ValueError("images: none, expected at least one")
        images = images.contiguous(memory_format=torch.channels_last)
        lower = self.product_dtype in (torch.bfloat16, torch.float16)
        with torch.autocast(images.device.type, self.product_dtype) if lower else nullcontext():
            # What 8 bits stand for is chosen anew for each map, and must not depend on the other images.
            found = [self.network(part) for part in (images.split(1) if self.product_dtype == torch.int8 else [images])]
        heads = zip(*((one.parsing, one.edge, one.pose, one.centroids) for one in found), strict=True)
        answers = [[torch.cat([maps[-1] for maps in head]).to(images.dtype)] if head[0] else [] for head in heads]
        return Prediction(*answers[:1]) if self.parsing_only else Prediction(*answers)

    def check_input_size(self, size: tuple[int, int]) -> None:
        """As the trained network has it."""
        self.network.check_input_size(size)
