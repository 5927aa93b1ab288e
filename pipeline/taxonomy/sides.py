"""Left and right: counterparts derived from names."""

from __future__ import annotations

import numpy as np


def mirrored_name(name: str) -> str:
    """The name with its left and right exchanged: left-arm -> right-arm; itself when it has no side."""
    for ours, other in (("left-", "right-"), ("right-", "left-")):
        if name.startswith(ours):
            return other + name[len(ours) :]
    return name


def swap_index(names: tuple[str, ...], what: str) -> np.ndarray:
    """(N,) int64: index i of the mirrored image's entry that goes to place i.

    Raises:
        ValueError: a left name without its right one, or the other way round.
    """
    missing = [name for name in names if mirrored_name(name) not in names]
    if missing:
        raise ValueError(
            f"{what}: {missing[0]!r} has no counterpart {mirrored_name(missing[0])!r}; name both sides or none"
        )
    return np.array([names.index(mirrored_name(name)) for name in names], dtype=np.int64)
