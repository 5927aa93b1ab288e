"""A trained parser as an ONNX file: any batch size, its own card in the metadata, checked before it is published."""

from __future__ import annotations

import importlib
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch._higher_order_ops.scan import scan
from torch.nn import functional

from pipeline.errors import DataError, ParamsError
from pipeline.shards.write import folder_aside, remove_leftovers, replace_file
from pipeline.taxonomy import LabelSet
from trainer.checkpoints import ModelCard, read_model
from trainer.input_spec import InputSpec
from trainer.models import ParsingNetwork, load_model
from trainer.models.adaptation import Tailoring
from trainer.models.prediction_path import for_prediction

LARGEST_DIFFERENCE = 1e-4
"""Between the file's outputs and the network's, as a share of the output's largest value where that is above 1."""

OPSET = 20
"""Of the file's operators."""

HEADS = ("parsing", "edge", "pose", "centroids")
"""Outputs of a file, those that the model has, in this order."""


def export_onnx(weights: Path, out: Path, from_pixels: bool = False) -> dict[str, tuple[int, ...]]:
    """Write a model file as ONNX, after onnxruntime has given what torch gives.

    The file takes `images` (N, 3, H, W) float32 fed as the model's input spec says, or (N, H, W, 3) uint8 RGB; N is
    free, H and W are the spec's. It gives the last map of every head that the model has.

    Args:
        weights: the model file.
        out: the ONNX file; replaced whole or not at all.
        from_pixels: the file takes uint8 RGB and normalises it.

    Returns:
        Output's name -> its shape without the batch.

    Raises:
        ParamsError: the extra `onnx` is not installed.
        DataError: the model file is missing or damaged, or the outputs differ by more than LARGEST_DIFFERENCE.
    """
    _require_extra()
    card, _ = read_model(weights)
    network = load_model(weights)
    spec = card.input_spec
    names = _heads(network, spec)
    plain = _Answers(network, names, spec if from_pixels else None)
    pixels = [_pixels(count, spec.size) for count in (2, 1, 3)]
    fed = [images if from_pixels else spec.normalize(images) for images in pixels]
    with torch.no_grad():
        expected = [plain(images) for images in fed]
        model = _exported(_Answers(_exportable(network), names, plain.spec), fed[0])
    model.metadata_props.update(metadata(card, network, from_pixels))
    out.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(out)
    with folder_aside(out) as aside:
        file = Path(aside) / "model.onnx"
        _save(model, file)
        _require_equal(file, weights, names, fed, expected)
        replace_file(out, file.read_bytes())
    return {name: tuple(maps.shape[1:]) for name, maps in zip(names, expected[0], strict=True)}


def metadata(card: ModelCard, network: ParsingNetwork, from_pixels: bool) -> dict[str, str]:
    """What a user of the file needs to feed it and to read its outputs: key -> text, lists and tables as JSON.

    `align_corners` says how outputs are to be resized to the input; `pose_background` that the last pose map is of
    background.
    """
    label_set = LabelSet(card.label_set, card.part_names)
    spec = asdict(card.input_spec)
    if from_pixels:
        fed = {"images": "uint8 RGB (N, H, W, 3)", "size": spec["size"], "fill": card.input_spec.fill}
    else:
        fed = {"images": "float32 (N, 3, H, W), (pixel / 255 - mean) / std", **spec}
    values = {
        "input": fed,
        "label_set": card.label_set,
        "part_names": card.part_names,
        "palette": label_set.palette[: len(card.part_names)].tolist(),
        "keypoint_set": card.keypoint_set,
        "keypoint_names": card.keypoint_names,
        "heatmaps": card.heatmaps,
        "align_corners": network.align_corners,
        "pose_background": network.pose_background,
        "model": card.model,
        "variant": card.variant,
        "package_version": card.package_version,
    }
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}


class _Answers(nn.Module):
    """The last map of each head, as a tuple; from pixels where a spec says how to feed them."""

    def __init__(self, network: ParsingNetwork, names: list[str], spec: InputSpec | None) -> None:
        super().__init__()
        self.network, self.names, self.spec = network, names, spec

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        prediction = self.network(images if self.spec is None else self.spec.normalize(images))
        return tuple(getattr(prediction, name)[-1] for name in self.names)


def _heads(network: ParsingNetwork, spec: InputSpec) -> list[str]:
    with torch.no_grad():
        prediction = network(spec.normalize(_pixels(1, spec.size)))
    return [head for head in HEADS if getattr(prediction, head)]


def scanned_depthwise(features: Tensor, kernels: Tensor) -> Tensor:
    """What dynamic_depthwise gives, one sample after the other: ONNX's Scan over a convolution.

    One grouped convolution for the whole batch would fix the batch, as the number of groups is a constant in ONNX.
    """
    channels, height, width = kernels.shape[1:]

    def one(passed_on: Tensor, sample: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        own, kernel = sample
        padding = (height // 2, width // 2)
        return passed_on.clone(), functional.conv2d(own[None], kernel[:, None], padding=padding, groups=channels)[0]

    # A scan carries a state from sample to sample; here there is none to carry.
    return scan(one, torch.zeros(1), (features, kernels))[1]


def _exportable(network: ParsingNetwork) -> ParsingNetwork:
    """The network prepared for prediction, its dynamic convolutions in a form that does not fix the batch."""
    prepared = for_prediction(network)
    for module in prepared.modules():
        if isinstance(module, Tailoring):
            module.convolve = scanned_depthwise
    return prepared


def _exported(module: _Answers, images: Tensor) -> Any:
    """The onnx_ir model, without the paths of this machine that the exporter notes at every node."""
    with _quiet():
        program = torch.onnx.export(
            module, (images,), dynamo=True, input_names=["images"], output_names=module.names, verbose=False,
            opset_version=OPSET, dynamic_shapes=({0: torch.export.Dim("batch")},),
        )  # fmt: skip
    if program is None:
        raise RuntimeError("torch.onnx.export gave no program")
    graphs: list[Any] = [program.model.graph, *program.model.functions.values()]
    for node in (node for graph in graphs for node in graph.all_nodes()):
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    return program.model


def _save(model: Any, file: Path) -> None:
    import onnx_ir

    onnx_ir.passes.common.RemoveUnusedNodesPass()(model)
    onnx_ir.save(model, file)


def _require_equal(
    file: Path, weights: Path, names: list[str], fed: list[Tensor], expected: list[tuple[Tensor, ...]]
) -> None:
    """Nothing, where onnxruntime gives the expected outputs for every batch.

    Raises:
        DataError: it does not.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    for images, answers in zip(fed, expected, strict=True):
        found = session.run(names, {"images": images.contiguous().numpy()})
        for name, ours, theirs in zip(names, answers, found, strict=True):
            difference = float((ours - torch.from_numpy(theirs)).abs().max())
            limit = LARGEST_DIFFERENCE * max(1.0, float(ours.abs().max()))
            if not difference <= limit:
                raise DataError(
                    f"{weights}: {name} of a batch of {len(images)} differs by {difference:.2g} between torch and "
                    f"onnxruntime {onnxruntime.__version__}, expected at most {limit:.2g}; nothing was written. "
                    "Install the versions of constraints.txt"
                )


def _pixels(count: int, size: tuple[int, int]) -> Tensor:
    """Drawn images (count, *size, 3) uint8, smooth as photographs are."""
    generator = torch.Generator().manual_seed(count)
    coarse = torch.rand(count, 3, *(max(side // 8, 2) for side in size), generator=generator)
    smooth = functional.interpolate(coarse, size=size, mode="bilinear", align_corners=True)
    return (smooth * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's own warnings and notes are about its inside."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _require_extra() -> None:
    for name in ("onnx", "onnxruntime", "onnxscript"):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ParamsError(
                f"--format onnx: needs {name}, which is not installed. Run pip install 'human-parsing-pipeline[onnx]'"
            ) from error
