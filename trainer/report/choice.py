"""Which samples the gallery shows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.shards.read import Shards
from trainer.report.predictions import Judged, Predictions

MOST = 2000
"""Samples of one page: as many as a phone's browser pages through without a wait."""
WORST = 200
"""Of them at least so many worst predictions, where there are more samples than fit."""


@dataclass(frozen=True)
class Chosen:
    """One sample of the gallery: its place in its split, and its prediction where it was judged."""

    dataset: str
    split: str
    index: int
    judged: Judged | None


def choose(
    splits: Sequence[tuple[str, str, Shards]],
    predictions: Predictions,
    judged_splits: Sequence[tuple[str, str]],
    seed: int,
) -> list[Chosen]:
    """Every sample up to `MOST`; beyond, the worst predictions, and as many drawn from each split.

    Args:
        splits: data set, split, shards.
        predictions: of the judged samples.
        judged_splits: data set and split of the folders that `predictions` counts through, in their order.
        seed: of the draw; a sample's place in it depends on its id alone.

    Returns:
        Data set by data set; in each the worst prediction first, then what was not judged, in the order of the splits.
    """
    judged = _by_place(predictions, judged_splits)
    kept = _places(splits, predictions, judged, seed)
    everyone = [
        Chosen(dataset, split, index, judged.get((dataset, split, index)))
        for dataset, split, shards in splits
        for index in (kept[dataset, split] if kept is not None else range(len(shards)))
    ]
    order = {dataset: place for place, dataset in enumerate(dict.fromkeys(dataset for dataset, _, _ in splits))}
    return sorted(everyone, key=lambda one: (order[one.dataset], _badness(one.judged)))


def _badness(judged: Judged | None) -> float:
    """Sorts the lowest mean IoU first, what has none last."""
    return judged.mean_iou if judged is not None and judged.mean_iou == judged.mean_iou else float("inf")


def _by_place(predictions: Predictions, judged_splits: Sequence[tuple[str, str]]) -> dict[tuple[str, str, int], Judged]:
    places = [
        (dataset, split, index)
        for (dataset, split), shards in zip(judged_splits, predictions.samples.shards, strict=True)
        for index in range(len(shards))
    ]
    return dict(zip(places, predictions, strict=True))


def _places(
    splits: Sequence[tuple[str, str, Shards]],
    predictions: Predictions,
    judged: Mapping[tuple[str, str, int], Judged],
    seed: int,
) -> dict[tuple[str, str], list[int]] | None:
    """Split -> rising indices to show; None for all."""
    if sum(len(shards) for _, _, shards in splits) <= MOST:
        return None
    worst = {one.index for one in predictions.worst_first()[:WORST]}
    kept: dict[tuple[str, str], set[int]] = {(dataset, split): set() for dataset, split, _ in splits}
    for (dataset, split, index), one in judged.items():
        if one.index in worst:
            kept[dataset, split].add(index)
    queues = {(dataset, split): _draw(shards, seed) for dataset, split, shards in splits}
    room = MOST - sum(map(len, kept.values()))
    # One of every split in turn, until the room or a split is used up.
    while room and any(queues.values()):
        for place, queue in queues.items():
            while queue and queue[-1] in kept[place]:
                queue.pop()
            if queue and room:
                kept[place].add(queue.pop())
                room -= 1
    return {place: sorted(indices) for place, indices in kept.items()}


def _draw(shards: Shards, seed: int) -> list[int]:
    """The split's indices in a random order that a sample's id and the seed decide."""
    ids = [row["sample_id"] for row in shards.rows(["sample_id"])]
    return sorted(
        range(len(ids)), key=lambda index: (hashlib.sha256(f"{seed}/{ids[index]}".encode()).digest(), ids[index])
    )
