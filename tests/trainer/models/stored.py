"""Outputs of every model on fixed weights and a fixed input, as they once came out; `fixtures/` holds them.

    python -m tests.trainer.models.stored        makes them anew, after a change of a network that is meant

Weights do not come from torch's initialisation: each is drawn by numpy from its own name, scaled so that signals keep their
size, the norms' statistics too. So another draw order or another initialisation changes nothing here, and another default of a
torch function does.
"""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.trainer.models.rows import ROWS, small
from trainer.models import VARIANTS, ParsingNetwork, Prediction

FOLDER = Path(__file__).parent / "fixtures"
FAMILIES = {"corrpm": "corrpm", "hg": "mula", "mula": "mula", "vgg16": "mula"}
SAMPLES = 12
_NORM = nn.modules.batchnorm._BatchNorm

Stored = dict[str, dict[str, Any]]


def family(name: str) -> str:
    """The file that holds a model's outputs."""
    return FAMILIES.get(name.split("-")[0], "baselines")


def fill(model: nn.Module) -> None:
    """Give every weight and statistic a value that depends on its name and shape alone.

    Weights have the deviation of He et al. (2015), or half of it in networks with norms, whose fixed statistics and shortcuts
    would let signals grow from block to block.
    """
    scale = 0.5 if any(isinstance(module, nn.BatchNorm2d) for module in model.modules()) else 1.0
    for module_name, module in model.named_modules():
        for name, tensor in [*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)]:
            if tensor.dtype.is_floating_point:
                values = _values(f"{module_name}.{name}", tuple(tensor.shape), isinstance(module, _NORM))
                tensor.data.copy_(torch.from_numpy(values) * (scale if tensor.ndim > 1 else 1))
            else:
                tensor.zero_()


def _values(name: str, shape: tuple[int, ...], norm: bool) -> np.ndarray:
    random = np.random.default_rng(zlib.crc32(name.encode()))
    normal = random.standard_normal(shape, dtype=np.float32)
    kind = name.rsplit(".", 1)[-1]
    if norm and kind in ("weight", "running_var"):
        return 0.5 + np.abs(normal) / 2
    if len(shape) < 2:
        return normal / 10
    return normal * np.float32(np.sqrt(2 / np.prod(shape[1:])))


def images(hw: tuple[int, int]) -> torch.Tensor:
    """(2, 3, *hw) float32."""
    drawn = np.random.default_rng(5).standard_normal((2, 3, *hw), dtype=np.float32)
    return torch.from_numpy(drawn).contiguous(memory_format=torch.channels_last)


def outputs(prediction: Prediction) -> dict[str, torch.Tensor]:
    """Head and number -> maps."""
    return {
        f"{head} {number}": maps
        for head in ("parsing", "edge", "pose")
        for number, maps in enumerate(getattr(prediction, head))
    }


def filled(name: str, variant: str) -> ParsingNetwork:
    """The narrow row with its fixed weights, in evaluation mode."""
    model = small(name, variant)
    fill(model)
    return model.eval()


def look(model: ParsingNetwork, hw: tuple[int, int]) -> Stored:
    """What the model gives for the fixed input: per output its shape, mean, root mean square and a few values."""
    with torch.no_grad():
        found = outputs(model(images(hw)))
    return {name: _summary(maps) for name, maps in found.items()} | _learnt(model, hw)


def _learnt(model: ParsingNetwork, hw: tuple[int, int]) -> Stored:
    """The norms' statistics after one look in training mode; nothing of models that draw while they train."""
    norms = {name: module for name, module in model.named_modules() if isinstance(module, _NORM)}
    if not norms or any(isinstance(module, nn.Dropout | nn.Dropout2d) for module in model.modules()):
        return {}
    model.train()
    with torch.no_grad():
        model(images(hw))
    model.eval()
    statistics = [torch.cat([norm.running_mean, norm.running_var]) for norm in norms.values()]
    return {"statistics": _summary(torch.cat(statistics))}


def _summary(values: torch.Tensor) -> dict[str, Any]:
    flat = values.contiguous().double().flatten().numpy()
    chosen = flat[np.linspace(0, len(flat) - 1, SAMPLES).astype(int)]
    numbers = [flat.mean(), np.sqrt(np.mean(flat**2)), *chosen]
    return {"shape": list(values.shape), "values": [float(f"{number:.7g}") for number in numbers]}


def read(name: str, variant: str) -> Stored:
    """The stored outputs of a row."""
    return json.loads((FOLDER / f"{family(name)}.json").read_text(encoding="utf-8"))[f"{name} {variant}"]


def main() -> None:
    torch.set_num_threads(1)
    found: dict[str, dict[str, Stored]] = {}
    for name, row in ROWS.items():
        for variant in VARIANTS:
            stored = look(filled(name, variant), row.hw)
            sizes = {output: one["values"][1] for output, one in stored.items()}
            if not all(1e-2 < size < 1e2 for size in sizes.values()):
                raise ValueError(
                    f"{name} {variant}: root mean squares of {sizes}, expected signals that keep their size"
                )
            found.setdefault(family(name), {})[f"{name} {variant}"] = stored
    FOLDER.mkdir(exist_ok=True)
    for file, content in found.items():
        lines = [
            f"{json.dumps(row)}: {{\n"
            + ",\n".join(f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in stored.items())
            + "\n}"
            for row, stored in content.items()
        ]
        (FOLDER / f"{file}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
