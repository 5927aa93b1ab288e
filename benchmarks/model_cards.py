"""The tables and figures of docs/models.md, from the networks themselves.

    python benchmarks/model_cards.py            writes docs/models.md's tables and docs/models/*.svg anew

Every network is built at its papers' width and fed a batch of one image of the papers' size on torch's meta device, which
computes shapes and nothing else, so this takes a minute and no memory. FLOPs are those of torch.utils.flop_counter: a
multiplication and its addition are two, other operations none. The arrows of a figure are the ways that tensors really took
from module to module. Published numbers stand in PUBLISHED, with the table they are printed in. The text of the page is
written by hand; the script fills what lies between its <!-- table --> marks.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from pipeline.shards.write import write_whole
from trainer.models import ParsingNetwork, Prediction, build_model, model_names
from trainer.models.backbones import ResNet
from trainer.models.mula import MULA_ROWS, _Exchange, _Network

PAGE = Path("docs/models.md")
FIGURES = Path("docs/models")
CLASSES, KEYPOINTS = 20, 16

CARDS = {
    "corrpm": "corrpm",
    "hourglass": "hg-2s-1u-mula",
    "vgg16-fcn-mula": "vgg16-fcn-mula",
    "vgg16-fcn-mtl": "vgg16-fcn-mtl",
    "fcn-8s": "fcn-8s",
    "deeplabv2": "deeplabv2",
    "ce2p": "ce2p",
}
"""Figure and table of shapes -> the network drawn there."""

_T2, _T5 = "CorrPM Table 2", "CorrPM Table 5"
_M1, _M2, _M34 = "MuLA Table 1", "MuLA Table 2", "MuLA Tables 3, 4"
PUBLISHED: Mapping[str, tuple[str, str, str]] = {
    "corrpm": ("55.33", "–", _T5),
    "corrpm-p": ("48.67", "–", _T5),
    "corrpm-pp": ("48.86", "–", _T5),
    "corrpm-p+b": ("51.27", "–", _T5),
    "corrpm-p+k": ("50.79", "–", _T5),
    "corrpm-p+b+k": ("51.93", "–", _T5),
    "corrpm-pb": ("53.11", "–", _T5),
    "corrpm-pk": ("53.98", "–", _T5),
    "corrpm-pbb": ("53.82", "–", _T5),
    "corrpm-pkk": ("54.17", "–", _T5),
    "vgg16-fcn": ("34.5", "69.1", _M1),
    "vgg16-fcn-add": ("36.5", "69.7", _M1),
    "vgg16-fcn-multi": ("35.8", "69.4", _M1),
    "vgg16-fcn-concat": ("36.1", "69.5", _M1),
    "vgg16-fcn-mtl": ("31.2", "65.3", _M1),
    "vgg16-fcn-self": ("36.1", "69.8", _M1),
    "vgg16-fcn-la-pose": ("32.1", "75.0", _M1),
    "vgg16-fcn-la-parsing": ("40.0", "66.5", _M1),
    "vgg16-fcn-mula": ("40.2", "76.0", _M1),
    "hg-0s-1u-mula": ("38.5", "78.8", _M2),
    "hg-1s-1u-mula": ("43.5", "82.2", _M2),
    "hg-2x1u": ("41.3", "80.8", _M2),
    "hg-2s-1u-mula-1st-stage": ("45.5", "82.8", _M2),
    "hg-2s-1u-mula-2nd-stage": ("45.6", "83.1", _M2),
    "hg-2s-1u-mula": ("46.9", "84.4", _M2),
    "hg-3s-1u-mula": ("47.8", "85.0", _M2),
    "hg-4s-1u-mula": ("48.9", "85.1", _M2),
    "hg-5s-1u-mula": ("49.3", "85.4", _M2),
    "mula": ("49.3", "87.5", _M34),
    "fcn-8s": ("28.3", "–", "MuLA Table 4"),
    "deeplabv2": ("41.64", "–", _T2),
    "ce2p": ("53.10", "–", _T2),
}
"""Model -> mIoU and, where printed, PCK on LIP's real validation set, in percent as printed, and where."""

_EXPANDED = (nn.ModuleList, nn.ModuleDict, ResNet, _Network, _Exchange)
"""What is shown by its parts instead of as one box."""


@dataclass
class Box:
    """A module of a figure: its outputs' shapes, its parameters, and the boxes whose outputs it was given."""

    shapes: list[tuple[int, ...]] = field(default_factory=list)
    parameters: int = 0
    flops: int = 0
    sources: dict[str, None] = field(default_factory=dict)


def input_size(name: str) -> tuple[int, int]:
    """The papers' input of a model."""
    return (256, 256) if name in MULA_ROWS or name == "vgg16-fcn-mtl" else (384, 384)


def on_meta(name: str) -> tuple[ParsingNetwork, Tensor]:
    """A network at the papers' width, and an image of the papers' size, neither with any values."""
    with torch.device("meta"):
        network = build_model(name, CLASSES, KEYPOINTS).requires_grad_(False)
        return network.eval(), torch.zeros(1, 3, *input_size(name))


def parts(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Path and module of every box, in the order of definition."""
    for name, child in module.named_children():
        path = f"{prefix}{name}"
        if isinstance(child, _EXPANDED):
            yield from parts(child, f"{path}.")
        elif not isinstance(child, nn.Identity):
            yield path, child


class Flow(TorchFunctionMode):
    """Tells of every tensor which boxes it came from."""

    def __init__(self) -> None:
        super().__init__()
        self._origins: dict[int, dict[str, None]] = {}
        self._alive: list[Tensor] = []  # so that no other tensor gets a known one's id

    def origins(self, found: Any) -> dict[str, None]:
        """The boxes that these tensors came from, in order."""
        merged: dict[str, None] = {}
        for tensor in tensors(found):
            merged |= self._origins.get(id(tensor), {})
        return merged

    def mark(self, found: Any, origins: dict[str, None]) -> None:
        """Say where these tensors come from."""
        for tensor in tensors(found):
            self._alive.append(tensor)
            self._origins[id(tensor)] = origins

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        origins = self.origins((args, kwargs))
        if origins:
            self.mark(result, origins)
        return result


def tensors(found: Any) -> Iterator[Tensor]:
    """All tensors in nested lists, tuples, mappings and predictions."""
    if isinstance(found, Tensor):
        yield found
    elif isinstance(found, Mapping):
        yield from tensors(tuple(found.values()))
    elif isinstance(found, list | tuple):
        for one in found:
            yield from tensors(one)


def trace(name: str) -> dict[str, Box]:
    """The boxes of a model from "images" to its outputs, each with what it was given."""
    network, images = on_meta(name)
    boxes = {"images": Box([tuple(images.shape[1:])])}
    flow = Flow()
    flow.mark(images, {"images": None})
    hooks = []
    for path, module in parts(network):
        boxes[path] = Box(parameters=sum(weight.numel() for weight in module.parameters()))

        def before(_: nn.Module, given: Any, path: str = path) -> None:
            boxes[path].sources |= flow.origins(given)

        def after(_: nn.Module, given: Any, found: Any, path: str = path) -> None:
            boxes[path].shapes += [tuple(tensor.shape[1:]) for tensor in tensors(found)]
            flow.mark(found, {path: None})

        hooks += [module.register_forward_pre_hook(before), module.register_forward_hook(after)]
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter, flow:
        prediction: Prediction = network(images)
    for hook in hooks:
        hook.remove()
    for path, operations in counter.get_flop_counts().items():
        boxes.get(path.removeprefix(f"{type(network).__name__}."), Box()).flops = sum(operations.values())
    for kind, outputs in (("parsing", prediction.parsing), ("edge", prediction.edge), ("pose", prediction.pose)):
        for number, output in enumerate(outputs, start=1):
            title = kind if len(outputs) == 1 else f"{kind} {number} of {len(outputs)}"
            boxes[f"-> {title}"] = Box([tuple(output.shape[1:])], sources=flow.origins(output))
    return {path: box for path, box in boxes.items() if box.shapes}


def columns(boxes: Mapping[str, Box]) -> dict[str, int]:
    """How many boxes lie before each on the longest way from the images."""
    depth: dict[str, int] = {}
    while len(depth) < len(boxes):
        for path, box in boxes.items():
            if path not in depth and all(source in depth for source in box.sources):
                depth[path] = 1 + max((depth[source] for source in box.sources), default=-1)
    last = max(depth.values())
    return {path: last if path.startswith("->") else column for path, column in depth.items()}


def draw(boxes: Mapping[str, Box], file: Path) -> None:
    """A figure: boxes from left to right, arrows along the ways of the tensors."""
    depth = columns(boxes)
    rows: dict[int, list[str]] = {}
    for path in boxes:
        rows.setdefault(depth[path], []).append(path)
    place = {}
    for column in sorted(rows):  # each column in the order of its sources' height

        def height(path: str, place: dict[str, tuple[float, float]] = place) -> float:
            own = [place[source][1] for source in boxes[path].sources if source in place]
            return sum(own) / len(own) if own else 0.0

        for number, path in enumerate(sorted(rows[column], key=height)):
            place[path] = (column * 2.3, number - (len(rows[column]) - 1) / 2)
    across, down = max(rows) + 1, max(len(row) for row in rows.values())
    with rc_context({"svg.hashsalt": "figure", "svg.fonttype": "none", "font.size": 7}):
        figure = Figure(figsize=(1.45 * across, 0.75 * down + 0.3))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-1.1, 2.3 * across - 1.2), ylim=(down / 2 + 0.1, -down / 2 - 0.1))
        axes.axis("off")
        for path, box in boxes.items():
            for source in box.sources:
                start, end = place[source], place[path]
                arrow = {"arrowstyle": "-|>", "color": "0.55", "lw": 0.7, "shrinkA": 0, "shrinkB": 0}
                arrow["connectionstyle"] = "arc3" if abs(end[0] - start[0]) < 2.5 else "arc3,rad=0.12"
                axes.annotate("", (end[0] - 0.9, end[1]), (start[0] + 0.9, start[1]), arrowprops=arrow, zorder=0)
        for path, box in boxes.items():
            axes.text(*place[path], caption(path, box), ha="center", va="center", zorder=2)
            axes.add_patch(
                Rectangle(
                    (place[path][0] - 0.9, place[path][1] - 0.38),
                    1.8,
                    0.76,
                    facecolor=colour(path),
                    edgecolor="0.3",
                    lw=0.6,
                )
            )
        figure.savefig(file, metadata={"Date": None, "Creator": None})


def caption(path: str, box: Box) -> str:
    """Name, first output's shape, parameters."""
    *folders, last = path.removeprefix("-> ").split(".")
    name = f"{'.'.join(folders)}.\n{last}" if len(path) > 18 and folders else ".".join((*folders, last))
    count = f"{box.parameters / 1e6:.2f} M" if box.parameters >= 1e5 else f"{box.parameters / 1e3:.1f} k"
    return "\n".join([name, by(box.shapes[0]), count][: 3 if box.parameters else 2])


def colour(path: str) -> str:
    """By what a box is about."""
    for word, tint in (("->", "#f2f2f2"), ("images", "#f2f2f2"), ("edge", "#fde3c8"), ("pose", "#d5ecd4")):
        if word in path:
            return tint
    return "#d6e4f5"


def by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def shapes_table(boxes: Mapping[str, Box]) -> str:
    """Markdown: what every part gives, its parameters and its work."""
    lines = ["| part | gives (channels × rows × columns) | parameters | GFLOP |", "|---|---|---:|---:|"]
    for path, box in boxes.items():
        shapes = ", ".join(dict.fromkeys(by(shape) for shape in box.shapes))
        if path.startswith("->") or path == "images":
            lines.append(f"| **{path.removeprefix('-> ')}** | {shapes} | | |")
        else:
            lines.append(f"| `{path}` | {shapes} | {box.parameters:,} | {box.flops / 1e9:.2f} |")
    return "\n".join(lines)


def models_table() -> str:
    """Markdown: every model, its size, its work, and what was published of it."""
    lines = [
        "| model | input | parameters | GFLOP | published mIoU | published PCK | printed in |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    for name in model_names():
        network, images = on_meta(name)
        counter = FlopCounterMode(display=False)
        with torch.no_grad(), counter:
            network(images)
        parameters = sum(weight.numel() for weight in network.parameters())
        iou, pck, where = PUBLISHED[name]
        lines.append(
            f"| `{name}` | {by(input_size(name))} | {parameters:,} | {counter.get_total_flops() / 1e9:.1f} "
            f"| {iou} | {pck} | {where} |"
        )
    return "\n".join(lines)


@contextmanager
def filled(page: Path) -> Iterator[dict[str, str]]:
    """Tables by the name of their mark; written into the page at the end."""
    tables: dict[str, str] = {}
    yield tables
    text = page.read_text(encoding="utf-8")
    for name, table in tables.items():
        mark = re.compile(rf"(<!-- table {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if not mark.search(text):
            raise SystemExit(f"{page}: has no mark <!-- table {name} --> ... <!-- end -->")
        text = mark.sub(lambda found, table=table: f"{found[1]}{table}\n{found[2]}", text)
    write_whole(page, text.encode())


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    FIGURES.mkdir(parents=True, exist_ok=True)
    with filled(PAGE) as tables:
        tables["models"] = models_table()
        for card, name in CARDS.items():
            boxes = trace(name)
            tables[card] = shapes_table(boxes)
            draw(boxes, FIGURES / f"{card}.svg")
            print(f"{card}: {len(boxes)} boxes", flush=True)


if __name__ == "__main__":
    main()
