"""Splits of sets that come without list files: drawn by a seed, the same for the same ids in any order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence


def seeded_split(ids: Sequence[str], counts: Mapping[str, int], seed: int) -> dict[str, list[str]]:
    """Split -> its ids in the order of `ids`; ids are ranked by a hash of the seed and the id and dealt out by `counts`.

    Args:
        ids: unique.
        counts: split -> how many ids it takes, in the order of dealing; they add up to the number of ids.
        seed: another seed deals otherwise.

    Raises:
        ValueError: the counts do not add up.
    """
    if sum(counts.values()) != len(ids):
        raise ValueError(f"counts: {dict(counts)} for {len(ids)} ids; they have to add up")
    ranked = sorted(ids, key=lambda one: (hashlib.sha256(f"{seed}/{one}".encode()).digest(), one))
    place: dict[str, str] = {}
    for split, count in counts.items():
        for one in ranked[len(place) : len(place) + count]:
            place[one] = split
    return {split: [one for one in ids if place[one] == split] for split in counts}


def share_out(count: int, shares: Mapping[str, int], rest: str) -> dict[str, int]:
    """`count` dealt in proportion to `shares`, rounded, at least one each while there are enough; `rest` takes what is left."""
    total = sum(shares.values())
    dealt: dict[str, int] = {}
    for split, share in shares.items():
        if split != rest:
            others = len(shares) - len(dealt) - 1
            dealt[split] = max(0, min(max(1, round(count * share / total)), count - sum(dealt.values()) - others))
    return {split: dealt.get(split, count - sum(dealt.values())) for split in shares}


SPLITS = ("train", "val", "test")
_SHARES = {"train": 8, "val": 1, "test": 1}


_FEW = 100


def drawn_splits(ids: Sequence[str], splits: Sequence[str], seed: int) -> dict[str, list[str]]:
    """Every id in one of the splits asked for: a tenth each for val and test, the rest for train.

    From a hundred ids on each one's own hash decides, so that none moves when others come; the shares are then right on
    average only. Fewer are dealt out, so that no split is left empty.
    """
    shares = {split: share for split, share in _SHARES.items() if split in splits}
    if len(ids) < _FEW:
        return seeded_split(ids, share_out(len(ids), shares, rest=next(iter(shares))), seed)
    tickets = [split for split, share in shares.items() for _ in range(share)]
    drawn: dict[str, list[str]] = {split: [] for split in shares}
    for one in ids:
        number = int.from_bytes(hashlib.sha256(f"{seed}/{one}".encode()).digest()[:8])
        drawn[tickets[number % len(tickets)]].append(one)
    return drawn
