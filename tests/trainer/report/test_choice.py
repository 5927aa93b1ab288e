"""The gallery's choice: everything that fits; beyond, the worst predictions and an even draw that a seed decides."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pytest

from trainer.report import choice
from trainer.report.choice import choose
from trainer.report.predictions import Judged


class Split(list):
    """Ids, read as shards are."""

    def rows(self, columns):
        assert columns == ["sample_id"]
        return iter([{"sample_id": one} for one in self])


class Answers(list):
    """Judged samples, the worst in the middle."""

    def __init__(self, split):
        super().__init__(Judged(i, one, 50.0, abs(i - 20) if i else float("nan")) for i, one in enumerate(split))
        self.samples = SimpleNamespace(shards=[split])

    def worst_first(self):
        return sorted((one for one in self if one.mean_iou == one.mean_iou), key=lambda one: one.mean_iou)


def split(name: str, count: int) -> Split:
    return Split(f"{name}.{index}" for index in range(count))


@pytest.fixture
def splits():
    return [("a", "train", split("at", 300)), ("a", "val", split("av", 41)), ("b", "train", split("bt", 9))]


def chosen(splits, seed=1):
    return choose(splits, Answers(splits[1][2]), [("a", "val")], seed)


def places(made):
    return [(one.dataset, one.split, one.index) for one in made]


def test_all_are_shown_where_they_fit_the_worst_first(splits):
    made = chosen(splits)
    assert len(made) == 350 and len(set(places(made))) == 350
    assert places(made)[:3] == [("a", "val", 20), ("a", "val", 19), ("a", "val", 21)]
    assert places(made)[40:43] == [("a", "train", 0), ("a", "train", 1), ("a", "train", 2)]
    assert made[-1].dataset == "b" and made[-1].judged is None


def test_beyond_the_worst_stay_and_the_splits_share_the_rest(splits, monkeypatch):
    monkeypatch.setattr(choice, "MOST", 60)
    monkeypatch.setattr(choice, "WORST", 5)
    made = chosen(splits)
    assert len(made) == 60 == len(set(places(made)))
    assert {18, 19, 20, 21, 22} <= {one.index for one in made if one.split == "val"}
    by_split = Counter((one.dataset, one.split) for one in made)
    assert by_split["b", "train"] == 9, "a small split is shown whole"
    assert by_split["a", "val"] - 5 == pytest.approx(by_split["a", "train"], abs=1)


def test_the_draw_depends_on_the_seed_and_the_ids_alone(splits, monkeypatch):
    monkeypatch.setattr(choice, "MOST", 60)
    assert places(chosen(splits, 1)) == places(chosen(splits, 1)) != places(chosen(splits, 2))
    train = {splits[0][2][one.index] for one in chosen(splits, 1) if (one.dataset, one.split) == ("a", "train")}
    splits[0] = ("a", "train", Split(reversed(splits[0][2])))
    again = {splits[0][2][one.index] for one in chosen(splits, 1) if (one.dataset, one.split) == ("a", "train")}
    assert train == again, "the order of the shards is no matter"
