"""The challenges' files of splits without labels; whole folders or none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import DataError, ParamsError
from pipeline.geometry.paste import Pasted
from pipeline.records import ImageRecord, People, Sample
from pipeline.taxonomy import KEYPOINT_SETS
from tests.trainer.builders import make_params
from tests.trainer.protocols.builders import HW, cut, make_record, write_set
from trainer import evaluate as evaluate_module
from trainer.checkpoints import write_model
from trainer.engine.training import make_card
from trainer.models import model_of
from trainer.predict import Answer
from trainer.protocols.images import JudgedImage, SourceImage
from trainer.submission import CihpFiles, submit


@pytest.fixture(scope="module")
def unlabelled(tmp_path_factory) -> Path:
    """Images and crops of which nothing is known but where the people are."""
    records = [make_record(index) for index in range(5)]
    samples = [Sample(**{**vars(sample), "mask": None}) for record in records for sample in cut(record, 0.5)]
    bare = [ImageRecord(**{**vars(r), "mask": None, "people_map": None, "people": People.empty()}) for r in records]
    root = write_set(tmp_path_factory.mktemp("unlabelled"), bare, samples)
    card = make_card(make_params(datasets=["people"], label_set="pascal", keypoint_set="pascal14"))
    write_model(root / "parser.pt", card, model_of(card).state_dict())
    return root


@pytest.fixture
def submitted(unlabelled, tmp_path, monkeypatch):
    """submitted(protocol, joints) -> the folder; every crop is answered with its left half as part 3, sure to 0.8."""

    def write(protocol: str, joints: int = 14) -> Path:
        def answers(parser, batches, fill):
            for item in (item for items in batches for item in items):
                mask = np.zeros(item.mask.shape, np.uint8)
                mask[:, : mask.shape[1] // 2] = 3
                yield item, Answer(mask, np.full((joints, 3), 2.0), np.full(mask.shape, 0.8, np.float32))

        monkeypatch.setattr(evaluate_module, "parse_all", answers)
        params = make_params({"protocol": protocol}, datasets=["people"], label_set="pascal", keypoint_set="pascal14")
        out = tmp_path / "out"
        assert submit(params, unlabelled / "parser.pt", unlabelled / "shards", unlabelled / "ingest", out) == 5
        return out

    return write


def test_a_split_without_labels_has_cihp_s_files(submitted):
    out = submitted("cihp")
    for index in range(5):
        people = 0 if index == 3 else 2
        parts = cv2.imread(str(out / f"global_parsing/{index:012d}.png"), cv2.IMREAD_UNCHANGED)
        ids = cv2.imread(str(out / f"instance_parsing/{index:012d}.png"), cv2.IMREAD_UNCHANGED)
        assert parts.shape == HW and set(np.unique(parts)) == ({0, 3} if people else {0})
        assert ids.max() == people
        lines = (out / f"instance_parsing/{index:012d}.txt").read_text()
        assert lines == "3 0.400000\n" * people  # the person's 0.5 times the part's 0.8


@pytest.mark.parametrize("protocol", ["atr", "pascal"])
def test_maps_alone(submitted, protocol):
    assert sorted(path.name for path in submitted(protocol).iterdir()) == [f"{index:012d}.png" for index in range(5)]


def test_a_model_without_joints_has_no_csv(submitted):
    out = submitted("lip", joints=0)
    assert sorted(path.name for path in out.iterdir()) == ["parsing"] and len(list((out / "parsing").iterdir())) == 5


@pytest.mark.parametrize(("protocol", "joint", "name"), [("lip", "pelvis", "lip16"), ("coco", "nose", "coco17")])
def test_joints_that_the_model_lacks_are_named_and_nothing_is_left(submitted, tmp_path, protocol, joint, name):
    with pytest.raises(ParamsError, match=rf"train\.keypoint_set: 'pascal14' has no {joint}, .* Train with {name}"):
        submitted(protocol)
    assert list(tmp_path.iterdir()) == []


def test_more_instances_than_the_server_s_map_holds_are_refused(tmp_path):
    people = np.arange(1, 301, dtype=np.uint16).reshape(15, 20)
    source = SourceImage(make_record(0), None, None)
    pasted = Pasted(np.ones((15, 20), np.uint8), people)
    image = JudgedImage(source, pasted, np.ones(300), np.zeros((300, 0, 3)), np.ones((15, 20), np.float32))
    with pytest.raises(DataError, match=r"300 part instances, and the server's 8-bit map holds 255"):
        CihpFiles(tmp_path, KEYPOINT_SETS["coco17"]).add(image)
