"""Shared source images, published counts, and what a whole set is told of them."""

import pytest

from pipeline.datasets.lip import LIP, lip_source_image
from pipeline.quality.counts import count_differences, is_whole
from pipeline.quality.shared_sources import shared_sources
from pipeline.quality.whole_set import SetRules, check_set
from pipeline.shards.step import Finding, ShardReport


def test_a_lip_crop_names_its_coco_image():
    assert lip_source_image("100034_483681") == "100034"
    assert lip_source_image("1.5_1") == "1.5" and lip_source_image("plain") == "plain"


def test_shared_source_images_count_once_per_pair_of_splits():
    ids = {"train": ["1_1", "1_2", "2_3", "3_4"], "val": ["1_5", "4_6", "1_7"], "test": ["4_8", "3_9", "5_1", "1_3"]}
    found = [(one.source, one.split, one.sample_id, one.earlier_split, one.earlier_id)
             for one in shared_sources(ids, lip_source_image)]  # fmt: skip
    assert found == [
        ("1", "val", "1_5", "train", "1_1"),
        ("4", "test", "4_8", "val", "4_6"),
        ("3", "test", "3_9", "train", "3_4"),
        ("1", "test", "1_3", "train", "1_1"),
        ("1", "test", "1_3", "val", "1_5"),
    ]


@pytest.mark.parametrize(
    "source, images, whole",
    [
        ("published", {"train": 5}, True),
        ("sample", {"train": 30462, "val": 10000}, False),
        ("/data/LIP", {"train": 30400, "val": 10000}, True),
        ("/data/LIP", {"train": 30400, "val": 9999}, False),
        ("/data/LIP", {"val": 10000}, True),
    ],
)
def test_a_whole_set_is_a_published_one_or_one_with_a_whole_split(source, images, whole):
    assert is_whole(source, images, LIP.published) is whole


def test_no_set_is_whole_without_published_counts():
    assert not is_whole("/data/mine", {"train": 5}, {})
    assert count_differences({"train": 5, "val": 3}, {"train": 5, "val": 4}) == {"val": (3, 4)}
    assert count_differences({"train": 5}, {}) == {}


def report(*names, rejects=()):
    marks = [{"sample_id": name, "pixels": name, "look": f"{int(name.split('_')[1]):032x}"} for name in names]
    return ShardReport(records=len(names), marks=marks, rejects=[Finding(*one) for one in rejects])


def rules(**changes):
    plain = {"dataset": "toy", "source": "/data", "published": {}, "source_image": None, "near_duplicate_bits": 0}
    return SetRules(**{**plain, **changes})


def test_rejected_images_count_as_listed_and_once():
    reports = {"train": report("1_1", rejects=[("2_2", "bad", "unreadable"), ("3_3", "a", "x"), ("3_3", "b", "y")])}
    published = {"train": 4}
    (finding,) = check_set(reports, rules(source="published", published=published))["train"]
    assert finding == Finding("", "toy: 3 train images, published are 4", "count_differences")
    assert check_set(reports, rules(source="published", published={"train": 3})) == {"train": []}


def test_findings_of_the_whole_set_stand_with_the_later_split():
    reports = {"train": report("1_0", "2_7"), "val": report("1_1")}
    found = check_set(reports, rules(source_image=lip_source_image, near_duplicate_bits=1))
    assert found["train"] == []
    assert found["val"] == [
        Finding("1_1", "toy/1_1: differs in 1 of 128 bits of its looks from 1_0 of train", "near_duplicates"),
        Finding("1_1", "toy/1_1: cut from image 1, as is 1_0 of train", "shared_sources"),
    ]
