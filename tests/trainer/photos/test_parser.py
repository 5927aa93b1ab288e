"""Whole photos through the sample's teachers: people sit where they are, joints come from whoever has them."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from pipeline.errors import ParamsError
from pipeline.images import decode_image
from pipeline.pose.crops import box_in_crop
from pipeline.pose.loading import load_estimator
from pipeline.shards.step import ShardReport
from tests import builders
from tests.trainer.photos.builders import scene, write_parser
from trainer.models import load_model
from trainer.models.int8 import computes_in_int8
from trainer.photos import Parser, PhotoRules
from trainer.photos import parser as parser_module
from trainer.photos.cutting import cut_people, photo_record
from trainer.photos.parser import TEACHERS

COCO = builders.REAL / "coco"


def box_iou(one, other):
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


@pytest.mark.skipif(not COCO.is_dir(), reason=f"no real samples at {COCO}")
def test_people_of_published_photos_are_put_back_where_they_stand(parser):
    truth = json.loads((COCO / "person_keypoints.json").read_text())
    found = 0
    for image in truth["images"]:
        pixels = decode_image((COCO / image["file_name"]).read_bytes(), image["file_name"])
        people = parser.predict(pixels)
        taken = np.zeros(pixels.shape[:2], int)
        for person in people:
            mask = person.mask
            taken += mask
            rows, columns = np.nonzero(mask)
            x, y, w, h = person.box
            assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == (x, y, x + w, y + h)
            x, y, w, h = person.found_box  # the crop is a tenth larger on every side
            assert x - w / 10 - 1 <= columns.min() and columns.max() <= x + 1.1 * w + 1
            assert y - h / 10 - 1 <= rows.min() and rows.max() <= y + 1.1 * h + 1
            assert np.array_equal(mask, person.parts > 0) and person.area == mask.sum()
            assert set(person.part_scores) == set(np.unique(person.parts)) - {0}
            assert all(0 < score <= person.score for score in person.part_scores.values())
        boxes = [one["bbox"] for one in truth["annotations"] if one["image_id"] == image["id"]]
        found += sum(any(box_iou(person.found_box, box) > 0.5 for person in people) for box in boxes)
        assert taken.max() == 1 and [one.score for one in people] == sorted((one.score for one in people), reverse=True)
    assert found >= 4  # of 6; the sample's detector has never seen a photograph


def test_a_model_without_joints_has_them_from_the_pose_teacher(tmp_path):
    parser = Parser.load(write_parser(tmp_path / "p.pt", model="corrpm-p"))
    assert not parser.has_joints and parser.keypoint_set.name == "coco17" and parser.joints_by.startswith("simple")
    image = scene(2, 1)[0]
    (person,) = parser.predict(image)
    found, estimator = (
        parser.find(photo_record("a", b"", image), image, ShardReport()),
        load_estimator(TEACHERS / "pose.safetensors"),
    )
    (cut,) = cut_people(found, parser.rules.cut, ShardReport())
    joints = estimator.estimate(cut.image, box_in_crop(cut.box, cut.to_source)[None])[0]
    np.testing.assert_allclose(person.keypoints[:, :2], joints[:, :2] + cut.to_source[:, 2], atol=1e-3)
    np.testing.assert_allclose(person.keypoints[:, 2], joints[:, 2].clip(0, 1))


def test_mirror_images_and_scales_are_looked_at_too(weights, parser):
    image = scene(2, 1)[0][:, :90]
    both = Parser.load(weights, rules=PhotoRules(flip=True, scales=(1.0, 1.5)))
    (one,), (other,) = parser.predict(image, detect=False), both.predict(image, detect=False)
    assert one.window == other.window and 0.05 < (one.parts != other.parts).mean() < 1


def test_what_is_no_photo_is_refused(weights, parser):
    for image in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), np.zeros((0, 4, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"image: .* expected uint8 \(H, W, 3\)"):
            parser.predict(image)
    with pytest.raises(ValueError, match=r"scale 0\.01 leaves 0x0 of the input"):
        Parser.load(weights, rules=PhotoRules(scales=(0.01,)))


def test_the_teachers_run_where_the_parser_does(parser, monkeypatch):
    monkeypatch.setattr(parser_module, "load_detector", lambda file, device: device)
    monkeypatch.setattr(parser_module, "load_estimator", lambda file, device: device)
    elsewhere = torch.device("cuda", 1)
    moved = Parser(replace(parser.crops, device=elsewhere), "moved", TEACHERS, TEACHERS)
    assert moved.detector == moved.estimator == elsewhere


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int8])
def test_the_prepared_network_answers_as_the_trained_one(weights, monkeypatch, dtype):
    if dtype == torch.int8 and not computes_in_int8():
        pytest.skip("this processor does not compute in 8 bits")
    monkeypatch.setattr(parser_module, "fastest_dtype", lambda: dtype)
    prepared = Parser.load(weights, int8=dtype == torch.int8)
    plain = Parser.load(weights)
    plain.crops = replace(plain.crops, model=load_model(weights))
    image = scene(4, 1)[0]
    (fast,), (slow,) = prepared.predict(image, detect=False), plain.predict(image, detect=False)
    agreed = (fast.parts == slow.parts).mean()
    assert prepared.computed_in == str(dtype).removeprefix("torch.")
    assert len(np.unique(slow.parts)) > 2 and agreed > (0.999 if dtype == torch.float32 else 0.8), agreed
    assert np.allclose(fast.keypoints, slow.keypoints, atol=1e-3) == (dtype == torch.float32)


def test_eight_bits_are_for_processors_that_have_them(weights, monkeypatch):
    monkeypatch.setattr(parser_module, "computes_in_int8", lambda: False)
    with pytest.raises(ParamsError, match="int8: takes an x86 processor"):
        Parser.load(weights, int8=True)
    with pytest.raises(ParamsError, match="int8: for CPUs, but the networks run on cuda"):
        parser_module._dtype(torch.device("cuda"), int8=True)
