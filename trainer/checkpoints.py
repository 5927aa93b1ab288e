"""The file of a trained model: weights and a card that says how to build and feed it; equal content, equal bytes."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import DataError
from pipeline.shards.write import replace_file
from trainer.input_spec import InputSpec

FORMAT_VERSION = 1


@dataclass(frozen=True)
class ModelCard:
    """All that is needed to build a model, to feed it and to read its answers.

    Attributes:
        model, variant, options: for build_model.
        part_names: class id -> name. keypoint_names: joint index -> name.
        input_spec: how images are fed.
        heatmaps: the `heatmaps` parameters that the pose head was trained on.
        training: the `train` parameters and the seed.
        package_version: of this project.
    """

    model: str
    variant: str
    options: dict[str, Any]
    label_set: str
    part_names: tuple[str, ...]
    keypoint_set: str
    keypoint_names: tuple[str, ...]
    input_spec: InputSpec
    heatmaps: dict[str, Any]
    training: dict[str, Any]
    package_version: str

    def to_json(self) -> str:
        """The card as one line of JSON, keys sorted."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> ModelCard:
        """The card of `to_json`."""
        fields = json.loads(text)
        spec = fields.pop("input_spec")
        spec = InputSpec(spec["order"], tuple(spec["mean"]), tuple(spec["std"]), tuple(spec["size"]))
        for name in ("part_names", "keypoint_names"):
            fields[name] = tuple(fields[name])
        return cls(input_spec=spec, **fields)


def write_model(file: Path, card: ModelCard, weights: dict[str, Tensor]) -> None:
    """Write a model file, whole or not at all.

    Weights are copied to plain contiguous CPU tensors and the card is one text: what is pickled, and so the bytes,
    depends on their content alone, not on the device, the process or the file's name.
    """
    plain = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()
    }
    save_content(file, {"format": FORMAT_VERSION, "card": card.to_json(), "weights": plain})


def read_model(file: Path) -> tuple[ModelCard, dict[str, Tensor]]:
    """Card and weights of a model file.

    Raises:
        DataError: the file is missing, damaged, or was not written by `write_model`.
    """
    content = load_content(file)
    if not isinstance(content, dict) or content.get("format") != FORMAT_VERSION:
        raise DataError(f"{file}: not a model file of format {FORMAT_VERSION}. Give one that `hpp train` wrote")
    try:
        return ModelCard.from_json(content["card"]), content["weights"]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{file}: its model card is damaged ({error}). Run `hpp train` again") from error


def save_content(file: Path, content: Any) -> None:
    """torch.save, whole or not at all; saved in memory first, as torch.save would put the file's name into its bytes.

    Raises:
        DataError: the file cannot be written; one that was there is left as it was.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, buffer.getvalue())
    except OSError as error:
        raise DataError(
            f"{file}: cannot be written ({error.strerror}). Make room for {buffer.tell() / 1e6:.0f} MB there and run the "
            "command again; what was saved before is still there"
        ) from error


def load_content(file: Path) -> Any:
    """What `save_content` wrote, on the CPU; no code in the file is run.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise DataError(f"{file}: not found. Run `hpp train` first, or give another file") from error
    except Exception as error:  # torch trips over damaged bytes in many ways, each of its own type
        # The rest is torch's advice to its programmers.
        reason = str(error).split(". ")[0].splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{file}: not a whole PyTorch file ({reason}). Get or make it again") from error
