from itertools import chain

import numpy as np
import pytest

from pipeline.datasets.atr import atr_account, atr_items
from pipeline.datasets.layout import ReaderOptions, read_item
from pipeline.errors import DataError
from pipeline.sources.archives import Archives
from pipeline.taxonomy import LABEL_SETS
from tests import builders

MASK = np.arange(96, dtype=np.uint8).reshape(12, 8) % 18
NAMES = ["dataset10k_2", "2500_1", "fash 3", "Multi_ä"]
ALL = ReaderOptions(seed=1, splits=("train", "val", "test"))


def write(folder, names=NAMES, masks=None, lists=(), beside=True):
    members = [(f"humanparsing/JPEGImages/{name}.jpg", builders.jpeg(seed=seed)) for seed, name in enumerate(names)]
    members += [
        (f"humanparsing/SegmentationClassAug/{name}.png", builders.png(MASK))
        for name in (names if masks is None else masks)
    ]
    for split, ids in dict(lists).items():
        if beside:
            (folder / f"{split}_id.txt").write_text("".join(f"{one}\n" for one in ids))
        else:
            members.append((f"lists/{split}_id.txt", "\n".join(ids).encode()))
    builders.write_zip(folder / "humanparsing.zip", members)
    return Archives(folder)


@pytest.mark.parametrize("beside", [True, False], ids=["beside the archive", "inside it"])
def test_list_files_give_the_splits(tmp_path, beside):
    archives = write(tmp_path, lists={"train": [NAMES[3], NAMES[0]], "val": [NAMES[2]]}, beside=beside)
    options = ReaderOptions(splits=("train", "val"))
    assert [item.sample_id for item in atr_items(archives, "train", options)] == [NAMES[3], NAMES[0]]
    assert [item.sample_id for item in atr_items(archives, "val", options)] == [NAMES[2]]
    assert atr_account(archives, options) == {"split": "list files", "unlisted_images": 1, "images": 4}
    record = read_item(archives, atr_items(archives, "val", options)[0], "atr", "val", LABEL_SETS["atr"])
    assert np.array_equal(record.decode_mask(), MASK) and record.people_map is None
    assert len(record.people) == 1 and record.people.boxes.tolist() == [[0, 0, 8, 12]]
    assert record.people.keypoints is None


def test_without_lists_the_split_is_drawn_and_said_so(tmp_path):
    names = [f"fash_{number}" for number in range(40)]
    archives = write(tmp_path, names)
    ids = {split: [item.sample_id for item in atr_items(archives, split, ALL)] for split in ALL.splits}
    assert {split: len(found) for split, found in ids.items()} == {"train": 36, "val": 2, "test": 2}
    assert sorted(chain(*ids.values())) == sorted(names) and ids["train"] == sorted(ids["train"], key=names.index)
    account = atr_account(archives, ALL)
    assert account["split"] == "drawn by seed 1" and account["split_sizes"] == {"train": 36, "val": 2, "test": 2}
    # What is held out does not depend on whether the test split is asked for.
    fewer = ReaderOptions(seed=1, splits=("train", "val"))
    assert [item.sample_id for item in atr_items(archives, "val", fewer)] == ids["val"]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lists": {"train": ["nobody"], "val": []}}, r"train_id\.txt: 'nobody' has no file in JPEGImages"),
        ({"masks": NAMES[1:], "lists": {"train": NAMES, "val": []}}, "'dataset10k_2' has no file in SegmentationClassAug"),
        ({"masks": NAMES[:1], "names": NAMES[:2]}, "SegmentationClassAug: '2500_1' has no file"),
        ({"lists": {"train": NAMES}}, r"val_id\.txt is missing beside train_id\.txt\. Add it"),
        ({"names": []}, "no archive there has a folder JPEGImages"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(tmp_path, options, message):
    archives = write(tmp_path, **options)
    with pytest.raises(DataError, match=message):
        for split in ("train", "val", "test"):
            atr_items(archives, split, ReaderOptions(splits=("train", "val")))
