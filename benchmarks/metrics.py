"""How fast are the scores, beside the ways of the benchmarks' own scorers?

    python benchmarks/metrics.py [--corrpm CHECKOUT] [--pgn CHECKOUT]

One core. The confusion matrix of a 384 x 384 mask of 20 classes against its prediction, and AP of part instances over 20 images of
500 x 375 pixels with 15 parts each, PNG files and lists on disk in CIHP's form. Without a checkout the scorers are measured in a
plain form that does the same work: CorrPM's casts both maps to int64, takes the judged pixels, counts an index and copies the
counts cell by cell; CIHP's (PGN) opens both maps of every image for every class and compares full masks pair by pair. With a
checkout of the authors' repositories it is their own code. Numbers must be equal. Writes benchmarks/results/metrics.json; a
minute.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from labels import load
from measuring import Line, side_by_side, write
from PIL import Image

from pipeline.images import encode_png
from trainer.metrics import ParsingMetrics, instance_part_ap

CLASSES, SIDE = 20, 384
IMAGES, PARTS, HEIGHT, WIDTH = 20, 15, 500, 375
THRESHOLDS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def part_masks() -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction (384, 384) uint8: ellipses of 19 labels, moved a little; a band of 255 in the truth."""
    rng = np.random.default_rng(3)
    truth, guess = np.zeros((2, SIDE, SIDE), np.uint8)
    for label in range(1, CLASSES):
        centre = rng.integers(40, SIDE - 40, 2)
        axes = tuple(int(axis) for axis in rng.integers(10, 60, 2))
        for mask, moved in ((truth, centre), (guess, centre + rng.integers(-4, 5, 2))):
            cv2.ellipse(mask, (int(moved[0]), int(moved[1])), axes, 30 * label, 0, 360, label, -1)
    truth[300:340, 100:280] = 255
    return truth, guess


def plain_confusion(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """CorrPM's way, from uint8 maps to the matrix."""
    wide, wide_guess = np.asarray(truth, np.int64), np.asarray(guess, np.int64)
    judged = wide != 255
    return plain_matrix(wide[judged], wide_guess[judged], CLASSES)


def plain_matrix(truth: np.ndarray, guess: np.ndarray, classes: int) -> np.ndarray:
    """An index per pixel, its counts copied cell by cell."""
    counts = np.bincount((truth * classes + guess).astype("int32"))
    matrix = np.zeros((classes, classes))
    for row in range(classes):
        for column in range(classes):
            place = row * classes + column
            if place < len(counts):
                matrix[row, column] = counts[place]
    return matrix


def write_scenes(folder: Path) -> list[str]:
    """Part-instance maps and their lists: pred/ lists class and score, truth/ id and class."""
    rng = np.random.default_rng(5)
    names = [f"{number:07d}" for number in range(IMAGES)]
    for name in names:
        truth, guess = np.zeros((2, HEIGHT, WIDTH), np.uint8)
        classes = rng.integers(1, CLASSES, PARTS)
        for part in range(1, PARTS + 1):
            centre = rng.integers(30, (WIDTH - 30, HEIGHT - 30))
            axes = tuple(int(axis) for axis in rng.integers(12, 50, 2))
            for ids, moved in ((truth, centre), (guess, centre + rng.integers(-8, 9, 2))):
                cv2.ellipse(ids, (int(moved[0]), int(moved[1])), axes, 25 * part, 0, 360, part, -1)
        guessed = np.where(rng.random(PARTS) < 0.15, rng.integers(1, CLASSES, PARTS), classes)
        scores = rng.random(PARTS)
        # Lists and maps name the parts that have pixels, numbered from 1 without gaps.
        for kind, ids, labels in (("truth", truth, classes), ("pred", guess, guessed)):
            drawn = [part for part in range(1, PARTS + 1) if (ids == part).any()]
            table = np.zeros(PARTS + 1, np.uint8)
            table[drawn] = np.arange(1, len(drawn) + 1)
            (folder / kind).mkdir(parents=True, exist_ok=True)
            (folder / kind / f"{name}.png").write_bytes(encode_png(table[ids]))
            lines = [
                f"{number} {labels[part - 1]}" if kind == "truth" else f"{labels[part - 1]} {scores[part - 1]:.6f}"
                for number, part in enumerate(drawn, start=1)
            ]
            (folder / kind / f"{name}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return names


def ours_ap(folder: Path, names: list[str]) -> float:
    """Percent, AP^r_vol by the published scorer's rules."""
    found = (_instances(folder / "pred" / name, "pred") for name in names)
    true = (_instances(folder / "truth" / name, "truth") for name in names)
    return float(instance_part_ap(found, true, THRESHOLDS, CLASSES, official=True)["mean"])


def _instances(stem: Path, kind: str) -> dict[str, Any]:
    ids = cv2.imread(f"{stem}.png", cv2.IMREAD_UNCHANGED)
    rows = [line.split() for line in Path(f"{stem}.txt").read_text(encoding="utf-8").splitlines()]
    if kind == "truth":
        return {"ids": ids, "classes": np.array([int(part) for _, part in rows])}
    classes, scores = [int(part) for part, _ in rows], [float(score) for _, score in rows]
    return {"ids": ids, "classes": np.array(classes), "scores": np.array(scores)}


def plain_ap(folder: Path, names: list[str]) -> float:
    """PGN's way: for every class the files of every image, then full masks pair by pair, then every threshold."""
    means = np.zeros(len(THRESHOLDS))
    for part in range(1, CLASSES):
        means += _plain_class_ap(folder, names, part)
    return float(100 * np.mean(means / (CLASSES - 1)))


def _plain_class_ap(folder: Path, names: list[str], part: int) -> np.ndarray:
    hits: list[list[int]] = [[] for _ in THRESHOLDS]
    scores: list[float] = []
    total = 0
    for name in names:
        rows = [line.split() for line in (folder / "truth" / f"{name}.txt").read_text(encoding="utf-8").splitlines()]
        true = _plain_masks(folder / "truth" / name, {int(number) for number, kind in rows if int(kind) == part})
        rows = [line.split() for line in (folder / "pred" / f"{name}.txt").read_text(encoding="utf-8").splitlines()]
        wanted = {number for number, (kind, _) in enumerate(rows, start=1) if int(kind) == part}
        found = _plain_masks(folder / "pred" / name, wanted)
        total += len(true)
        scores += [float(rows[number - 1][1]) for number in sorted(wanted)]
        for best in _plain_overlaps(found, true).max(axis=1, initial=0):
            for number, limit in enumerate(THRESHOLDS):
                hits[number].append(int(best > limit))
    if not total or not scores:
        return np.zeros(len(THRESHOLDS))
    order = np.argsort(scores)[::-1]
    return np.array([_plain_area(np.array(right)[order], total) for right in hits])


def _plain_masks(stem: Path, wanted: set[int]) -> list[np.ndarray]:
    """A full mask per wanted instance; the map is opened, and searched for its ids."""
    ids = np.array(Image.open(f"{stem}.png"))
    return [(ids == number).astype(np.uint8) for number in np.unique(ids) if number in wanted]


def _plain_overlaps(found: list[np.ndarray], true: list[np.ndarray]) -> np.ndarray:
    """IoUs, from lists of the pixels of every mask and every pair's intersection."""
    areas = [len(np.nonzero(mask)[0]) for mask in found]
    overlaps = np.zeros((len(found), len(true)))
    for column, mask in enumerate(true):
        area = len(np.nonzero(mask)[0])
        for row, other in enumerate(found):
            shared = len(np.nonzero(np.logical_and(mask, other).astype(np.uint8))[0])
            overlaps[row, column] = shared / (area + areas[row] - shared)
    return overlaps


def _plain_area(right: np.ndarray, total: int) -> float:
    hits = np.cumsum(right)
    recall = np.concatenate([[0.0], hits / total, [1.0]])
    precision = np.concatenate([[0.0], hits / np.arange(1, len(right) + 1), [0.0]])
    for place in range(len(precision) - 1, 0, -1):
        precision[place - 1] = max(precision[place - 1], precision[place])
    steps = np.where(recall[1:] != recall[:-1])[0]
    return float(np.sum((recall[steps + 1] - recall[steps]) * precision[steps + 1]))


def measure(
    confusion: Callable[[np.ndarray, np.ndarray], np.ndarray], ap: Callable[[Path, list[str]], float], rounds: int
) -> tuple[list[Line], dict[str, float]]:
    """Lines, and seconds by name, after a comparison of all numbers."""
    truth, guess = part_masks()
    if not np.array_equal(ParsingMetrics(CLASSES).update(guess, truth).confusion, confusion(truth, guess)):
        raise SystemExit("confusion matrix: the numbers differ")
    metrics = ParsingMetrics(CLASSES)
    counted = side_by_side(
        {"ours": lambda: metrics.update(guess, truth), "theirs": lambda: confusion(truth, guess)}, 30 * rounds
    )
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside)
        names = write_scenes(folder)
        ours, theirs = ours_ap(folder, names), ap(folder, names)
        if abs(ours - theirs) > 1e-9:
            raise SystemExit(f"part AP: {ours} by ours, {theirs} by theirs")
        judged = side_by_side({"ours": lambda: ours_ap(folder, names), "theirs": lambda: ap(folder, names)}, rounds)
    lines = [
        Line("confusion matrix: as fast as CorrPM's scorer", counted["theirs"] / counted["ours"], target=5),
        Line("part-instance AP: as fast as CIHP's scorer", judged["theirs"] / judged["ours"], target=30),
    ]
    details = {f"confusion matrix, {whose}, us": 1e6 * value for whose, value in counted.items()}
    details |= {f"part AP, {whose}, ms per image": 1e3 * value / IMAGES for whose, value in judged.items()}
    return lines, {**details, "part AP, percent": ours}


def authors_confusion(checkout: Path) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """CorrPM's function behind the casts of its evaluation."""
    with _importable(checkout):
        count = load(checkout / "utils" / "miou.py").get_confusion_matrix

    def confusion(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
        wide, wide_guess = np.asarray(truth, np.int64), np.asarray(guess, np.int64)
        judged = wide != 255
        return count(wide[judged], wide_guess[judged], CLASSES)

    return confusion


def authors_ap(checkout: Path) -> Callable[[Path, list[str]], float]:
    """PGN's functions; what they print is kept back."""
    scorer = load(checkout / "evaluation" / "test_inst_part_ap.py")

    def ap(folder: Path, names: list[str]) -> float:
        scorer.PREDICT_DIR, scorer.INST_PART_GT_DIR = str(folder / "pred"), str(folder / "truth")
        with contextlib.redirect_stdout(io.StringIO()):
            table = [scorer.compute_class_ap(names, part, THRESHOLDS) for part in range(1, CLASSES)]
        return float(100 * np.mean(table))

    return ap


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """The authors' modules import each other by names below their folder."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def main() -> None:
    """Measure, write, print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--corrpm", type=Path, help="checkout of the authors' CorrPM")
    options.add_argument("--pgn", type=Path, help="checkout of the authors' CIHP_PGN")
    options.add_argument("--rounds", type=int, default=3, help="turns of each scorer")
    chosen = options.parse_args()
    cv2.setNumThreads(1)
    confusion = authors_confusion(chosen.corrpm) if chosen.corrpm else plain_confusion
    ap = authors_ap(chosen.pgn) if chosen.pgn else plain_ap
    lines, details = measure(confusion, ap, chosen.rounds)
    whose = {name: "checkout" if given else "plain form" for name, given in vars(chosen).items() if name != "rounds"}
    write("metrics", lines, {**details, "authors": whose})


if __name__ == "__main__":
    main()
