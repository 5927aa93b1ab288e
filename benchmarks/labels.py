"""How fast are edge maps and heatmaps, beside the papers' own functions?

    python benchmarks/labels.py [--corrpm CHECKOUT] [--mula CHECKOUT]

One core, 384 x 384 pixels, LIP's 16 joints. Without a checkout the papers' functions are measured in a plain form that does the
same work: CorrPM compares shifted float64 maps and draws a float64 window per joint, MuLA goes through the cells around a joint
in a Python loop. With a checkout of the authors' repositories it is their own code. Outputs must be equal. Each pair of
functions runs in turns in this process, and the least time of each counts. Also tells what a PNG of an edge map costs, one
bit a pixel against eight. Writes benchmarks/results/labels.json; half a minute.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
from measuring import Line, side_by_side, write

from pipeline.images import decode_map, encode_bits, encode_png
from pipeline.labels import edge_map, gaussian_heatmaps

SIDE, STRIDE, SIGMA, JOINTS = 384, 4, 7, 16
MULA_SIDE = 256
MULA_CUT = 4.6052


def part_mask(ignored: bool) -> np.ndarray:
    """(384, 384) uint8: a figure of ellipses in 20 labels, with a band of 255 where asked."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    rng = np.random.default_rng(3)
    for label in range(1, 20):
        centre = (int(rng.normal(192, 40)), int(rng.uniform(40, 350)))
        axes = (int(rng.uniform(10, 45)), int(rng.uniform(15, 60)))
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, label, -1)
    if ignored:
        mask[300:340, 100:280] = 255
    return mask


def joints(side: int) -> np.ndarray:
    """(16, 3) x, y, v inside a square; one is not annotated."""
    points = np.random.default_rng(4).uniform(0, side, (JOINTS, 2))
    return np.column_stack([points, [0, *[2] * (JOINTS - 1)]])


def plain_edges(mask: np.ndarray) -> np.ndarray:
    """CorrPM's way: a float64 map, four comparisons that each look for 255 in both pixels, a dilation."""
    height, width = mask.shape
    edge = np.zeros(mask.shape)
    below, above = np.s_[1:height, :], np.s_[: height - 1, :]
    left, right = np.s_[:, : width - 1], np.s_[:, 1:width]
    upper_left, lower_right = np.s_[: height - 1, : width - 1], np.s_[1:height, 1:width]
    upper_right, lower_left = np.s_[: height - 1, 1:width], np.s_[1:height, : width - 1]
    for marked, other in ((below, above), (left, right), (upper_left, lower_right), (upper_right, lower_left)):
        edge[marked][(mask[marked] != mask[other]) & (mask[marked] != 255) & (mask[other] != 255)] = 1
    return cv2.dilate(edge, cv2.getStructuringElement(cv2.MORPH_RECT, (3, 3)))


def plain_corrpm_heatmaps(points: np.ndarray) -> np.ndarray:
    """CorrPM's way: a window of 3 sigma is computed for every joint and pasted into a float64 map."""
    cells, reach = SIDE // STRIDE, 3 * SIGMA
    maps = np.zeros((len(points), cells, cells))
    for number, (x, y, visible) in enumerate(points):
        column, row = int(x / STRIDE + 0.5), int(y / STRIDE + 0.5)
        if column - reach >= cells or row - reach >= cells or column + reach + 1 < 0 or row + reach + 1 < 0:
            continue
        place = np.arange(0, 2 * reach + 1, 1, np.float32)
        window = np.exp(-((place - reach) ** 2 + (place[:, None] - reach) ** 2) / (2 * SIGMA**2))
        rows, columns = (slice(max(0, at - reach), min(at + reach + 1, cells)) for at in (row, column))
        if visible > 0.5:
            maps[number][rows, columns] = window[
                rows.start - row + reach : rows.stop - row + reach,
                columns.start - column + reach : columns.stop - column + reach,
            ]
    return maps


def plain_mula_heatmaps(points: np.ndarray) -> np.ndarray:
    """MuLA's way: a Python loop over the cells around every joint, then the background."""
    cells, start = MULA_SIDE // STRIDE, STRIDE / 2 - 0.5
    reach = np.ceil(np.sqrt(MULA_CUT * SIGMA * SIGMA * 2))
    maps = np.zeros((len(points) + 1, cells, cells))
    for number, joint in enumerate(points):
        if not joint[2]:
            continue
        spans = [
            range(
                int(max(0, np.floor((joint[axis] - reach - start) / STRIDE))),
                int(min(cells, np.ceil((joint[axis] + reach - start) / STRIDE))),
            )
            for axis in (1, 0)
        ]
        for row in spans[0]:
            for column in spans[1]:
                x, y = start + column * STRIDE, start + row * STRIDE
                squared = (x - joint[0]) * (x - joint[0]) + (y - joint[1]) * (y - joint[1])
                exponent = squared / 2 / SIGMA / SIGMA
                if exponent > MULA_CUT:
                    continue
                maps[number, row, column] += math.exp(-exponent)
                if maps[number, row, column] > 1:
                    maps[number, row, column] = 1
    maps[-1] = 1 - maps[:-1].max(axis=0)
    return maps


def load(file: Path) -> ModuleType:
    """A file of an authors' checkout as a module."""
    spec = importlib.util.spec_from_file_location(f"authors_{file.parent.parent.name}", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise SystemExit(f"{file}: not found. Give the folder of the authors' repository")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measure(
    edges: Callable[[np.ndarray], np.ndarray],
    corrpm: Callable[[np.ndarray], np.ndarray],
    mula: Callable[[np.ndarray], np.ndarray],
    rounds: int,
) -> tuple[list[Line], dict[str, float]]:
    """Lines, and microseconds by name, after a comparison of all outputs."""
    masks = {"without 255": part_mask(False), "with 255": part_mask(True)}
    here, there = joints(SIDE), joints(MULA_SIDE)
    cells, mula_cells = (SIDE // STRIDE,) * 2, (MULA_SIDE // STRIDE,) * 2
    pairs: dict[str, tuple[Callable[[], np.ndarray], Callable[[], np.ndarray], float]] = {
        "edge map": (lambda: edge_map(masks["without 255"]), lambda: edges(masks["without 255"]), 5),
        "edge map, mask with 255": (lambda: edge_map(masks["with 255"]), lambda: edges(masks["with 255"]), 0),
        "heatmaps, CorrPM": (lambda: gaussian_heatmaps(here, cells), lambda: corrpm(here), 3),
        "heatmaps, MuLA": (
            lambda: gaussian_heatmaps(there, mula_cells, convention="mula"),
            lambda: mula(there),
            20,
        ),
    }
    lines, details = [], {}
    for name, (ours, theirs, target) in pairs.items():
        if not np.allclose(ours(), theirs(), rtol=0, atol=2e-7):
            raise SystemExit(f"{name}: outputs differ by {np.abs(ours() - theirs()).max()}")
        seconds = side_by_side({"ours": ours, "theirs": theirs}, rounds)
        lines.append(
            Line(
                f"{name}: as fast as the authors' function", seconds["theirs"] / seconds["ours"], target=target or None
            )
        )
        details |= {f"{name}, {whose}, us": 1e6 * value for whose, value in seconds.items()}
    edge = edge_map(masks["without 255"])
    png = side_by_side({"bits": lambda: encode_bits(edge), "bytes": lambda: encode_png(edge)}, rounds)
    assert np.array_equal(decode_map(encode_bits(edge), "edge"), edge)
    lines.append(Line("edge map as PNG of one bit: as fast as of eight", png["bytes"] / png["bits"]))
    details |= {f"PNG of {name}, us": 1e6 * value for name, value in png.items()}
    details |= {"PNG of bits, bytes": len(encode_bits(edge)), "PNG of bytes, bytes": len(encode_png(edge))}
    return lines, details


def main() -> None:
    """Measure, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corrpm", type=Path, help="checkout of the authors' CorrPM")
    options.add_argument("--mula", type=Path, help="checkout of the authors' MuLA")
    options.add_argument("--rounds", type=int, default=100, help="turns of each function")
    chosen = options.parse_args()
    cv2.setNumThreads(1)
    edges, corrpm, mula = plain_edges, plain_corrpm_heatmaps, plain_mula_heatmaps
    cells, mula_cells = SIDE // STRIDE, MULA_SIDE // STRIDE
    if chosen.corrpm:
        module = load(chosen.corrpm / "dataset" / "target_generation.py")
        edges = module.generate_edge
        corrpm = lambda points: module.generate_pose(points[:, :2], points[:, 2], None, cells, cells, STRIDE, SIGMA)  # noqa: E731
    if chosen.mula:
        loops = load(chosen.mula / "utils" / "target_generation.py")
        mula = lambda points: loops.gen_pose_target(points[:, :2], points[:, 2], STRIDE, mula_cells, mula_cells, SIGMA)  # noqa: E731
    lines, details = measure(edges, corrpm, mula, chosen.rounds)
    whose = {
        "CorrPM": "checkout" if chosen.corrpm else "plain form",
        "MuLA": "checkout" if chosen.mula else "plain form",
    }
    write("labels", lines, {**details, "authors": whose})


if __name__ == "__main__":
    main()
