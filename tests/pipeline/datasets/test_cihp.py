import numpy as np
import pytest

from pipeline.datasets.cihp import CIHP, cihp_account, cihp_items, contradictions
from pipeline.datasets.layout import ReaderOptions, read_item
from pipeline.errors import DataError
from pipeline.quality.examine import Rules
from pipeline.sources.archives import Archives
from pipeline.steps.ingest import ingest_shards, ingest_step
from pipeline.taxonomy import LABEL_SETS
from tests import builders

PARTS = np.zeros((12, 8), np.uint8)
PARTS[1:5, 0:3], PARTS[6:11, 4:8] = 10, 13
PEOPLE = np.zeros((12, 8), np.uint8)
PEOPLE[1:5, 0:3], PEOPLE[6:11, 4:8] = 1, 3


def read_all(folder, split="train"):
    archives = Archives(folder)
    items = cihp_items(archives, split)
    return [read_item(archives, item, "cihp", split, LABEL_SETS["cihp"], CIHP.labels) for item in items]


def test_parts_people_and_boxes_are_read(tmp_path):
    builders.write_cihp(
        tmp_path,
        {
            "0000002": (builders.jpeg(), builders.png(PARTS), builders.png(PEOPLE)),
            "0000001": (builders.jpeg(seed=1), builders.png(PARTS * 0), builders.png(PEOPLE * 0)),
        },
    )
    two, nobody = read_all(tmp_path)
    assert (two.sample_id, nobody.sample_id) == ("0000002", "0000001")
    assert two.people.ids.tolist() == [1, 3] and two.people.boxes.tolist() == [[0, 1, 3, 4], [4, 6, 4, 5]]
    assert two.people.keypoints is None and np.array_equal(two.people.mask(1), PEOPLE == 3)
    assert np.array_equal(two.decode_mask(), PARTS) and np.array_equal(two.decode_people(), PEOPLE)
    assert len(nobody.people) == 0


@pytest.mark.parametrize("kind, present", [("Human_ids", (1, 0)), ("Category_ids", (0, 1))])
def test_missing_labels_are_told(tmp_path, kind, present):
    parts, people = builders.png(PARTS) if present[0] else None, builders.png(PEOPLE) if present[1] else None
    builders.write_cihp(tmp_path, {"0000001": (builders.jpeg(), parts, people)})
    with pytest.raises(DataError, match=rf"train_id\.txt: names '0000001', but Training/{kind} lacks it"):
        cihp_items(Archives(tmp_path), "train")


def test_test_images_need_no_labels(tmp_path):
    top = "instance-level_human_parsing/Testing"
    builders.write_zip(
        tmp_path / "a.zip", [(f"{top}/Images/0000009.jpg", builders.jpeg()), (f"{top}/test_id.txt", b"0000009")]
    )
    (record,) = read_all(tmp_path, "test")
    assert record.mask is None and record.people_map is None and len(record.people) == 0


def test_person_ids_of_another_size_are_named(tmp_path):
    builders.write_cihp(tmp_path, {"1": (builders.jpeg(), builders.png(PARTS), builders.png(PEOPLE[:, 1:]))})
    with pytest.raises(DataError, match=r"^cihp/1: .*Human_ids/1\.png is 7x12, its image is 8x12"):
        read_all(tmp_path)


def test_the_splits_folders_are_not_mixed_up(tmp_path):
    members = []
    for folder, split, seed in (("Training", "train", 1), ("Validation", "val", 2)):
        for kind, data in (
            ("Images", builders.jpeg(seed=seed)), ("Category_ids", builders.png(PARTS)), ("Human_ids", builders.png(PEOPLE)),
        ):  # fmt: skip
            members.append((f"{folder}/{kind}/7.{'jpg' if kind == 'Images' else 'png'}", data))
        members.append((f"{folder}/{split}_id.txt", b"7"))
    builders.write_zip(tmp_path / "a.zip", members)
    assert read_all(tmp_path, "train")[0].image == builders.jpeg(seed=1)
    assert read_all(tmp_path, "val")[0].image == builders.jpeg(seed=2)
    assert CIHP.published == {"train": 28280, "val": 5000, "test": 5000}


INSTANCES = np.zeros((12, 8), np.uint8)
INSTANCES[1:5, 0:3], INSTANCES[6:11, 4:8] = 10, 2 * 20 + 13


def changed(array, value, count=8):
    """The map with another value at `count` of its labelled pixels."""
    other = array.copy()
    rows, columns = np.nonzero(array)
    other[rows[:count], columns[:count]] = value
    return other


def test_maps_that_agree_contradict_nothing():
    assert contradictions(PARTS, PEOPLE, INSTANCES) == contradictions(PARTS, PEOPLE, None) == ()
    ignored = np.where(PARTS == 10, 255, PARTS).astype(np.uint8)
    assert contradictions(ignored, PEOPLE, INSTANCES) == ()


@pytest.mark.parametrize(
    "parts, people, instances, words",
    [
        (PARTS, changed(PEOPLE, 0), INSTANCES, "8 pixels have a class and no person"),
        (changed(PARTS, 0), PEOPLE, INSTANCES, "8 pixels have a person and no class"),
        (PARTS, changed(PEOPLE, 2), INSTANCES, "8 pixels have another part instance"),
        (changed(PARTS, 5), PEOPLE, INSTANCES, "8 pixels have another part instance"),
        (PARTS, PEOPLE, changed(INSTANCES, 0), "8 pixels have another part instance"),
        (PARTS, PEOPLE, INSTANCES + (PEOPLE == 0), "64 pixels have another part instance"),
        (PARTS, PEOPLE, INSTANCES[::-1], "pixels have another part instance"),
    ],
)
def test_maps_that_contradict_each_other_are_found(parts, people, instances, words):
    (found,) = contradictions(parts, people, np.asarray(instances, np.uint8))
    assert words in found


def test_a_pixel_here_and_there_is_no_contradiction():
    people = np.ones((20, 20), np.uint8)
    parts, instances = people * 5, people * 5
    parts[:2, :2] = 0  # four of 400
    assert contradictions(parts, people, instances) == ()
    parts[2, 2] = 0
    assert contradictions(parts, people, instances) == ("5 pixels have a person and no class",)


def test_a_mix_up_of_instance_maps_is_rejected_by_ingest_or_kept_where_the_limit_is_null(tmp_path):
    good = (builders.jpeg(), builders.png(PARTS), builders.png(PEOPLE), builders.png(INSTANCES))
    mixed = (builders.jpeg(seed=1), builders.png(PARTS), builders.png(PEOPLE), builders.png(INSTANCES[::-1]))
    builders.write_cihp(tmp_path, {"1": good, "2": mixed})
    (shard,) = ingest_shards(Archives(tmp_path), "cihp", ["train"], 2)
    _, report = ingest_step(tmp_path, "cihp", "cihp", 2, "cihp").work(shard.inputs)
    (reject,) = report.rejects
    assert report.records == 1 and (reject.sample_id, reject.check) == ("2", "contradicting_maps")
    assert reject.reason.startswith("cihp/2: ") and "pixels have another part instance" in reject.reason
    rules = Rules(rejecting=frozenset())
    _, report = ingest_step(tmp_path, "cihp", "cihp", 2, "cihp", rules=rules).work(shard.inputs)
    kept = [one.sample_id for one in report.outcomes if one.check == "contradicting_maps"]
    assert report.records == 2 and not report.rejects and kept == ["2"]


def test_an_instance_map_that_is_missing_or_of_another_size_is_named(tmp_path):
    maps = (builders.jpeg(), builders.png(PARTS), builders.png(PEOPLE))
    builders.write_cihp(tmp_path / "a", {"1": (*maps, builders.png(INSTANCES)), "2": maps})
    with pytest.raises(DataError, match=r"names '2', but Training/Instance_ids lacks it"):
        cihp_items(Archives(tmp_path / "a"), "train")
    builders.write_cihp(tmp_path / "b", {"1": (*maps, builders.png(INSTANCES[1:]))})
    with pytest.raises(DataError, match=r"Instance_ids/1\.png is 8x11, its image is 8x12"):
        read_all(tmp_path / "b")


def test_images_that_no_list_names_are_counted(tmp_path):
    builders.write_cihp(tmp_path, {"1": (builders.jpeg(), builders.png(PARTS), builders.png(PEOPLE))})
    builders.write_zip(tmp_path / "more.zip", [("Training/Images/9.jpg", b"")])
    assert cihp_account(Archives(tmp_path), ReaderOptions(splits=("train",))) == {"unlisted_images": 1}
