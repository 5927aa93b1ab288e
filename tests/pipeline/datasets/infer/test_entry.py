import pytest
import yaml

from pipeline.datasets.infer.entry import dataset_entry, keypoint_set_text, label_set_text, with_entry
from pipeline.datasets.infer.found import Inferred, own_set
from pipeline.errors import ParamsError
from pipeline.taxonomy import KeypointSet, keypoint_set, label_set

PARTS = own_set("shop", ["background", "on", "左", "it's: #1"], [(0, 0, 0), (1, 2, 3), (255, 0, 0), (9, 9, 9)])
FOUND = Inferred("folder", ("train", "val"), "single", PARTS, notes=("a lot", "a\nfew"))
ENTRY = dataset_entry(FOUND, "/home/me/it's: my #1", "data/label_sets/shop.yaml", None)


def test_the_entry_holds_every_key():
    assert ENTRY == {
        "source": "/home/me/it's: my #1", "layout": "folder", "splits": ["train", "val"], "people": "single",
        "label_set": "data/label_sets/shop.yaml", "keypoint_set": None, "images": {}, "sha256": {},
    }  # fmt: skip
    coco = Inferred("coco_json", ("train",), "many", PARTS, annotations={"train": "a.json"})
    assert dataset_entry(coco, "x", "person", "coco17")["annotations"] == {"train": "a.json"}


TEXT = """\
# Values.
seed: 1

datasets:   # all of them
  lip:
    source: sample   # drawn
    images: {train: 1,
             val: 2}
    keypoint_set:    # none

# Others.
teacher_datasets: {coco: {source: sample}}
"""


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("    keypoint_set:    # none\n", "    note: |\n      two\n      lines\n"),
        TEXT.replace("    keypoint_set:    # none\n", "    splits:\n    - train\n    - val  # both\n"),
        "datasets:\n    lip:\n        source: sample",
    ],
    ids=["plain", "crlf", "block scalar", "list", "no end"],
)
def test_an_entry_is_put_behind_the_last_one_and_nothing_else_changes(text):
    changed = with_entry(text, "shop", ENTRY, "params.yaml")
    before, after = text.splitlines(), changed.splitlines()
    assert yaml.safe_load(changed)["datasets"] == {**yaml.safe_load(text)["datasets"], "shop": ENTRY}
    assert list(yaml.safe_load(changed)["datasets"]) == ["lip", "shop"]
    place = next(number for number, line in enumerate(after) if line.strip() == "shop:")
    assert after[:place] + after[place + 1 + len(ENTRY) :] == before
    assert not after[place - 1].startswith("#") and after[place - 1].strip()
    assert ("\r\n" in changed) == ("\r\n" in text) and changed.count("\r\n") in (0, changed.count("\n"))


@pytest.mark.parametrize(
    "text, name, message",
    [
        (TEXT, "lip", r"datasets\.lip is there already. Take it out, or give another --name"),
        (TEXT, "coco", r"teacher_datasets\.coco is there already"),
        ("seed: 1\n", "shop", "has no data set in `datasets`"),
        ("datasets: {}\n", "shop", "has no data set in `datasets`"),
        ("datasets: &all {a: {source: b}}\nothers: *all\n", "shop", "datasets cannot be changed by a program"),
        ("datasets: [\n", "shop", "not readable as YAML"),
        ("[]\n", "shop", "holds list, expected sections"),
    ],
)
def test_a_file_that_takes_no_entry_is_told(text, name, message):
    with pytest.raises(ParamsError, match=rf"params\.yaml: {message}"):
        with_entry(text, name, ENTRY, "params.yaml")


def test_sets_are_written_as_they_are_read(tmp_path):
    text = label_set_text(FOUND)
    (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")
    assert label_set(str(tmp_path / "shop.yaml")) == PARTS
    assert "  - background  # a lot\n" in text and "# a few\n" in text
    joints = KeypointSet("shop-joints", ("no", "left-toe", "right-toe"), (("no", "left-toe"),))
    (tmp_path / "shop-joints.yaml").write_text(keypoint_set_text(joints), encoding="utf-8")
    assert keypoint_set(str(tmp_path / "shop-joints.yaml")) == joints
