from itertools import chain

import pytest

from pipeline.datasets.splits import drawn_splits, seeded_split, share_out

IDS = [f"photo {number}" for number in range(50)]


def test_a_drawn_split_holds_every_id_once_in_the_order_of_the_source():
    split = seeded_split(IDS, {"train": 40, "val": 6, "test": 4}, seed=1)
    assert {name: len(ids) for name, ids in split.items()} == {"train": 40, "val": 6, "test": 4}
    assert sorted(chain(*split.values()), key=IDS.index) == IDS
    assert all(ids == sorted(ids, key=IDS.index) for ids in split.values())


def test_a_drawn_split_depends_on_ids_and_seed_alone():
    counts = {"train": 40, "val": 10}
    sets = {name: set(ids) for name, ids in seeded_split(IDS, counts, seed=1).items()}
    turned = {name: set(ids) for name, ids in seeded_split(IDS[::-1], counts, seed=1).items()}
    assert sets == turned
    assert sets["val"] != set(seeded_split(IDS, counts, seed=2)["val"])


def test_counts_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="they have to add up"):
        seeded_split(IDS, {"train": 3}, seed=1)


@pytest.mark.parametrize(
    "count, expected",
    [
        (17706, {"train": 16000, "val": 700, "test": 1006}),
        (100, {"train": 90, "val": 4, "test": 6}),
        (3, {"train": 1, "val": 1, "test": 1}),
        (1, {"train": 0, "val": 0, "test": 1}),
        (0, {"train": 0, "val": 0, "test": 0}),
    ],
)
def test_shares_are_in_proportion_and_leave_no_split_empty(count, expected):
    assert share_out(count, {"train": 16000, "val": 700, "test": 1006}, rest="test") == expected


def test_what_rounding_leaves_goes_to_the_rest():
    assert share_out(7, {"train": 8, "val": 1, "test": 1}, rest="train") == {"train": 5, "val": 1, "test": 1}
    assert share_out(1, {"train": 8, "val": 1}, rest="train") == {"train": 1, "val": 0}


@pytest.mark.parametrize("splits", [("train", "val"), ("train", "val", "test"), ("val", "test")])
def test_in_larger_sets_no_id_moves_when_others_come(splits):
    ids = [f"photo {number}" for number in range(2000)]
    for seed in range(5):
        before, after = drawn_splits(ids[:1000], splits, seed), drawn_splits(ids, splits, seed)
        assert {split: [one for one in after[split] if one in set(ids[:1000])] for split in splits} == before
        assert sorted(chain(*after.values())) == sorted(ids)
        assert (
            150 < len(after["val"]) < (250 if "train" in splits else 1100)
            and drawn_splits(ids, splits, seed + 9) != after
        )


def test_small_sets_have_no_empty_split():
    for count in range(3, 60):
        assert all(
            drawn_splits(IDS[:count] + [f"{i}" for i in range(count - 50)], ("train", "val", "test"), 1).values()
        )
