"""detectron2's Mask R-CNN against detectron2's own predictor, and what is said where it cannot be had."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner

from pipeline.detection.base import PersonDetector
from pipeline.detection.detectron2_model import build_model, read_config
from pipeline.detection.detectron2_rcnn import (
    ARCHITECTURE,
    Detectron2Options,
    _paste,
    _person_class,
    convert_weights,
    mask_config,
)
from pipeline.detection.loading import load_detector
from pipeline.detection.threads import fixed_threads
from pipeline.detection.weights import check_teacher, published
from pipeline.errors import DataError, ParamsError
from pipeline.images import decode_image
from pipeline.records import People
from pipeline.rle import decode_rle
from pipeline.shards import open_shards
from pipeline.teacher_file import write_teacher
from stages.cli import main
from tests.builders import REAL
from tests.pipeline.detection.builders import SPEC, noise, tiny_network

ROOT = Path(__file__).resolve().parents[3]
ZOO = "COCO-InstanceSegmentation/mask_rcnn_R_50_FPN_3x.yaml"
LEAST_PEOPLE = 20

with_detectron2 = pytest.mark.skipif(
    importlib.util.find_spec("detectron2") is None, reason="detectron2 is not installed"
)
with_photos = pytest.mark.skipif(not (REAL / "coco").is_dir(), reason="no real photos beside the project")


@pytest.fixture
def no_detectron2(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where detectron2 is not installed."""
    for name in [name for name in sys.modules if name.split(".")[0] == "detectron2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "detectron2", None)


@pytest.mark.usefixtures("no_detectron2")
def test_without_detectron2_one_line_says_how_to_install_it(tmp_path: Path) -> None:
    write_teacher(tmp_path / "a.safetensors", tiny_network(), ARCHITECTURE, Detectron2Options("VERSION: 2", 0), SPEC)
    for attempt in (
        lambda: mask_config(ZOO),
        lambda: published(ZOO),
        lambda: load_detector(tmp_path / "a.safetensors"),
    ):
        with pytest.raises(
            ParamsError, match=r"detectron2 is not installed.*`pip install --no-build-isolation"
        ) as told:
            attempt()
        assert "\n" not in str(told.value)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A config of one's own, small and with its score floor lowered, and random weights that find many people."""
    from detectron2.model_zoo import get_config_file

    folder = tmp_path_factory.mktemp("detectron2")
    config = folder / "own.yaml"
    changes = {
        "_BASE_": get_config_file(ZOO),
        "MODEL": {
            "RESNETS": {"DEPTH": 18, "RES2_OUT_CHANNELS": 64},
            "FPN": {"OUT_CHANNELS": 64},
            "RPN": {"POST_NMS_TOPK_TEST": 100},
            "ROI_BOX_HEAD": {"FC_DIM": 128},
            "ROI_MASK_HEAD": {"CONV_DIM": 64},
            "ROI_HEADS": {"SCORE_THRESH_TEST": 0.0},
        },
        "INPUT": {"MIN_SIZE_TEST": 160, "MAX_SIZE_TEST": 256},
    }
    config.write_text(yaml.safe_dump(changes), encoding="utf-8")
    torch.manual_seed(0)
    model: Any = build_model(mask_config(str(config)))
    scores = model.roi_heads.box_predictor.cls_score
    scores.weight.data *= 0.01  # random features are large, and a softmax of them would be of ones
    scores.bias.data[0] += 2
    torch.save({"model": model.state_dict()}, folder / "weights.pth")
    return config, folder / "weights.pth"


@pytest.fixture(scope="module")
def teacher(own: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    config, weights = own
    file = tmp_path_factory.mktemp("teacher") / "detector.safetensors"
    convert_weights(str(config), weights, file)
    return file


@pytest.fixture(scope="module")
def detector(teacher: Path) -> PersonDetector:
    return load_detector(teacher)


def predicted(own: tuple[Path, Path], image: np.ndarray) -> Any:
    """The people of detectron2's own predictor."""
    from detectron2.config import get_cfg
    from detectron2.engine import DefaultPredictor

    config = get_cfg()
    config.merge_from_file(str(own[0]))
    config.MODEL.WEIGHTS, config.MODEL.DEVICE = str(own[1]), "cpu"
    with fixed_threads(4):
        found = DefaultPredictor(config)(image[:, :, ::-1].copy())["instances"]
    return found[found.pred_classes == 0]


def check_equal(people: People, expected: Any) -> None:
    corners = expected.pred_boxes.tensor.numpy()
    assert len(people) == len(corners) >= LEAST_PEOPLE
    np.testing.assert_array_equal(people.scores, expected.scores.numpy())
    np.testing.assert_allclose(people.boxes[:, :2], corners[:, :2], atol=0.5)
    np.testing.assert_allclose(people.boxes[:, 2:], corners[:, 2:] - corners[:, :2], atol=0.5)
    for row, mask in enumerate(expected.pred_masks.numpy()):
        np.testing.assert_array_equal(people.mask(row), mask)
    assert sum(people.mask(row).any() for row in range(len(people))) >= LEAST_PEOPLE


@with_detectron2
def test_people_equal_those_of_detectron2_s_own_predictor(own, detector):
    image = noise(97, 140)
    check_equal(detector.detect(image), predicted(own, image))


@with_detectron2
@with_photos
def test_people_of_the_real_photos_equal_those_of_detectron2_s_own_predictor(own, detector):
    photos = sorted((REAL / "coco").rglob("*.jpg"))
    assert photos
    for photo in photos:
        image = decode_image(photo.read_bytes(), photo.name)
        check_equal(detector.detect(image), predicted(own, image))


@with_detectron2
@with_photos
def test_the_real_photos_are_cut_into_people_from_the_parameters_to_the_crops(own, detector, tmp_path):
    config, weights = own
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    bare = tmp_path / "bare"
    (bare / "images").mkdir(parents=True)
    for photo, split in zip(sorted((REAL / "coco").rglob("*.jpg")), ("train", "val"), strict=True):
        shutil.copyfile(photo, bare / "images" / photo.name)
        (bare / f"{split}.txt").write_text(photo.name, encoding="utf-8")
    photos = {
        "source": str(bare), "images": {}, "layout": "folder", "sha256": {}, "splits": ["train", "val"],
        "people": "many", "label_set": "person", "keypoint_set": None,
    }  # fmt: skip
    params["teacher_datasets"] = {"photos": photos}
    params["detector"] |= {"backend": "detectron2", "network": str(config), "weights": str(weights), "score": 0.0}
    params["detector"]["mask_nms"] = 1.0
    params["detector"]["fit"]["dataset"] = params["pose"]["fit"]["dataset"] = "photos"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for command in (["download", "photos"], ["ingest", "photos"], ["fit-detector"], ["crop", "photos"]):
        asked = ["--quiet", "--params", str(tmp_path / "params.yaml"), "--root", str(tmp_path), *command]
        result = CliRunner().invoke(main, asked)
        assert result.exit_code == 0, (command, result.output, result.exception)
    crops = [crop for split in ("train", "val") for crop in open_shards(tmp_path / "data/crops/photos" / split)]
    assert len(crops) >= LEAST_PEOPLE and len({crop.source_id for crop in crops}) == 2
    assert all(crop.provenance["people"] == detector.teacher_id for crop in crops)


@with_detectron2
def test_a_batch_that_is_halved_finds_the_same_people(own, teacher):
    images = [noise(97, 140, seed=seed) for seed in range(3)]
    single = load_detector(teacher).detect_many(images)
    batched: Any = load_detector(teacher)
    batched._batches.size = 3
    sizes: list[int] = []
    forward = batched._model.backbone.forward

    def _forward(batch):
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return forward(batch)

    batched._model.backbone.forward = _forward
    found = batched.detect_many(images)
    assert (batched.halvings, batched.batch_size, sizes) == (1, 1, [3, 1, 1, 1])
    for people, alone in zip(found, single, strict=True):
        assert len(people) == len(alone) >= LEAST_PEOPLE
        np.testing.assert_allclose(people.scores, alone.scores, atol=1e-5)


@with_detectron2
@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1)])
def test_the_smallest_images_go_through(detector, size):
    people = detector.detect(noise(*size))
    assert all(people.mask(row).shape == size for row in range(len(people)))


@with_detectron2
def test_a_mask_is_pasted_as_detectron2_pastes_it(monkeypatch):
    from detectron2.layers.mask_ops import paste_masks_in_image

    monkeypatch.setattr("pipeline.detection.detectron2_rcnn._STRIP_PIXELS", 150)
    draw = torch.Generator().manual_seed(4)
    size, filled = (60, 80), 0
    for _ in range(50):
        corners = torch.rand(2, 2, generator=draw) * torch.tensor([80.0, 60.0])
        box = torch.cat([corners.min(0).values, corners.max(0).values + 0.3]).clamp(
            max=torch.tensor([80.0, 60, 80, 60])
        )
        mask = torch.rand(28, 28, generator=draw).mul(1.2).clamp(max=1)
        expected = paste_masks_in_image(mask[None], box[None], size)[0].numpy()
        filled += int(expected.sum())
        np.testing.assert_array_equal(decode_rle(_paste(mask, box, size)), expected)
    assert filled > 1000


@with_detectron2
def test_the_person_is_the_class_of_that_name():
    from detectron2.data import MetadataCatalog

    assert _person_class(read_config(ZOO)) == 0
    lvis = read_config("LVISv0.5-InstanceSegmentation/mask_rcnn_R_50_FPN_1x.yaml")
    with pytest.raises(DataError, match=r"lvis_v0\.5_val: none of its 1230 classes is called person"):
        _person_class(lvis)
    lvis.MODEL.ROI_HEADS.NUM_CLASSES = 1  # of a set of one's own
    assert _person_class(lvis) == 0
    MetadataCatalog.get("streets").thing_classes = ["car", "person"]
    lvis.DATASETS.TEST, lvis.MODEL.ROI_HEADS.NUM_CLASSES = ("streets",), 2
    assert _person_class(lvis) == 1


@with_detectron2
def test_published_weights_are_checked_by_the_digits_of_their_names(own):
    assert published(ZOO).checksums == {"md5": "f10217"}
    assert published(ZOO).name == "model_final_f10217.pkl"
    with pytest.raises(ParamsError, match=r"own\.yaml: detectron2 publishes no weights for it\. Give a file"):
        published(str(own[0]))


@with_detectron2
def test_the_score_floor_is_no_higher_than_what_is_kept(own):
    assert read_config(ZOO).MODEL.ROI_HEADS.SCORE_THRESH_TEST == 0.05
    assert read_config(str(own[0])).MODEL.ROI_HEADS.SCORE_THRESH_TEST == 0.0


@with_detectron2
@pytest.mark.parametrize(
    ("network", "kind", "told"),
    [
        ("COCO-Keypoints/keypoint_rcnn_R_50_FPN_3x.yaml", DataError, r"MODEL\.MASK_ON is False, expected .* and True"),
        ("COCO-Detection/retinanet_R_50_FPN_3x.yaml", DataError, r"MODEL\.META_ARCHITECTURE is RetinaNet"),
        (
            "COCO-InstanceSegmentation/gone.yaml",
            ParamsError,
            r"gone\.yaml: no such file, and no config of detectron2's",
        ),
        ("MODEL: {COLOUR: 3}", DataError, r"x\.yaml: no config of detectron2 \(.*MODEL\.COLOUR"),
        ("MODEL: [", DataError, r"x\.yaml: no config of detectron2"),
    ],
)
def test_a_config_that_finds_no_masks_is_told_in_one_line(tmp_path, network, kind, told):
    if ":" in network:
        (tmp_path / "x.yaml").write_text(network, encoding="utf-8")
        network = str(tmp_path / "x.yaml")
    with pytest.raises(kind, match=told) as caught:
        mask_config(network)
    assert "\n" not in str(caught.value)


@with_detectron2
def test_weights_that_are_not_the_config_s_are_told_in_one_line(own, teacher, tmp_path):
    config, weights = own
    target = tmp_path / "detector.safetensors"
    state = torch.load(weights)["model"]
    del state["roi_heads.mask_head.predictor.weight"]
    torch.save({"model": state}, tmp_path / "part.pth")
    (tmp_path / "broken.pkl").write_bytes(b"no weights")
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({"_BASE_": str(config), "MODEL": {"FPN": {"OUT_CHANNELS": 32}}}), encoding="utf-8")
    for network, file, told in (
        (
            config,
            tmp_path / "part.pth",
            r"part\.pth: lacks 'roi_heads\.mask_head\.predictor\.weight' in this shape \(1 s",
        ),
        (other, weights, r"weights\.pth: lacks '.*' in this shape"),
        (config, tmp_path / "broken.pkl", r"broken\.pkl: not readable as weights of detectron2"),
        (config, tmp_path / "gone.pkl", r"gone\.pkl: not readable as weights of detectron2"),
    ):
        with pytest.raises(DataError, match=told) as caught:
            convert_weights(str(network), file, target)
        assert "\n" not in str(caught.value)
    assert not target.exists()
    check_teacher(str(config), teacher)
    with pytest.raises(DataError, match=r"detector\.safetensors: its weights were made with another config than"):
        check_teacher(str(other), teacher)
