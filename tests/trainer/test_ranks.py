"""Shares of work, so that nobody has an item twice."""

from __future__ import annotations

import pytest

from trainer.ranks import share


@pytest.mark.parametrize("count, ranks", [(0, 2), (1, 3), (7, 2), (8, 4), (10, 3)])
def test_everyone_has_neighbours_and_all_have_each_once(count, ranks):
    shares = [share(count, rank, ranks) for rank in range(ranks)]
    assert [item for one in shares for item in one] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
