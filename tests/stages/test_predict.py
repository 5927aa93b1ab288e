"""`hpp predict`: photos of every kind in, people out, and what it says of photos that cannot be used."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from pycocotools.coco import COCO

from pipeline.images import decode_map, encode_jpeg
from stages.cli import main
from tests import builders
from tests.trainer.photos.builders import saved, scene, write_parser
from trainer.models.int8 import computes_in_int8
from trainer.photos.results import ABOUT

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return write_parser(tmp_path_factory.mktemp("parser") / "parser.pt", label_set="cihp")


def predict(*arguments, code=0, options=()):
    """With the project's own parameters, away from its models."""
    given = [str(argument) for argument in arguments]
    result = CliRunner().invoke(
        main, ["--params", str(ROOT / "params.yaml"), "--root", "nowhere", *options, "predict", *given]
    )
    assert result.exit_code == code, (result.output, result.exception)
    return result


def coco_of(out):
    return json.loads((out / "people.json").read_text(encoding="utf-8"))


def test_people_are_found_parsed_and_put_back_and_bad_photos_are_listed(tmp_path, weights):
    image, _, ids = scene(1, 2)
    album, out = tmp_path / "album", tmp_path / "out"
    rotated = np.ascontiguousarray(np.rot90(image))  # orientation 6 turns it back
    photos = {
        "two.jpg": encode_jpeg(image),
        "sub/two.jpg": builders.exif_rotated(encode_jpeg(rotated), 6),
        "nobody.jpg": encode_jpeg(np.full((90, 120, 3), 128, np.uint8)),
        "cut.jpg": encode_jpeg(image)[:3000],
        "empty.png": b"",
    }
    for name, data in photos.items():
        (album / name).parent.mkdir(parents=True, exist_ok=True)
        (album / name).write_bytes(data)
    said = predict(album, "--weights", weights, "--out", out, code=2)
    assert "left out: " in said.stderr and "cut.jpg: the JPEG is cut off (3000 bytes, no end marker)" in said.stderr
    assert (
        said.stderr.splitlines()[-1] == f"Error: 2 of 5 photos could not be used: cut, empty. The others are in {out}"
    )
    assert [json.loads(line)["sample_id"] for line in (out / "rejects.jsonl").read_text().splitlines()] == [
        "cut",
        "empty",
    ]
    assert json.loads((out / "outcomes.jsonl").read_text()) == {"sample_id": "nobody", "reason": "nobody was found"}
    content = coco_of(out)
    assert [(one["file_name"], one["height"], one["width"]) for one in content["images"]] == [
        ("nobody.jpg", 90, 120), ("sub/two.jpg", 160, 200), ("two.jpg", 160, 200),
    ]  # fmt: skip
    of_two = [one for one in content["annotations"] if one["image_id"] == 3]
    assert len(of_two) == ids.max() and all(len(one["keypoints"]) == 48 for one in of_two)
    people, parts = (decode_map((out / kind / "two.png").read_bytes(), kind) for kind in ("people", "parts"))
    assert np.array_equal(people > 0, parts > 0) and set(np.unique(people)) == {0, *(one["person"] for one in of_two)}
    coco = COCO(out / "people.json")
    for one in of_two:
        mask = coco.annToMask(coco.anns[one["id"]]) > 0
        rows, columns = np.nonzero(mask)
        x, y, w, h = one["bbox"]
        assert np.array_equal(mask, people == one["person"]) and mask.sum() == one["area"]
        assert x <= columns.min() and columns.max() < x + w and y <= rows.min() and rows.max() < y + h
        found = one["found_bbox"]  # the crop's margin is a tenth of the box on every side
        assert found[0] - found[2] / 10 - 1 <= columns.min() and columns.max() <= found[0] + 1.1 * found[2] + 1


def test_every_kind_of_photo_is_read_as_it_looks(tmp_path, weights):
    image = scene(2, 1)[0]
    pillow = Image.fromarray(image)
    grey = np.asarray(pillow.convert("L"))
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    turned = Image.Exif()
    turned[0x0112] = 3
    kinds = {
        "cmyk.jpg": saved(pillow.convert("CMYK"), "JPEG"),
        "exif.jpg": saved(pillow.rotate(180), "JPEG", exif=turned),
        "grey.jpg": saved(pillow.convert("L"), "JPEG"),
        "palette.png": saved(pillow.quantize(64), "PNG"),
        "rgba.png": saved(pillow.convert("RGBA"), "PNG"),
        "sixteen.png": saved(sixteen, "PNG"),
        "tiny.png": saved(pillow.resize((1, 1)), "PNG"),
    }
    for name, data in kinds.items():
        (tmp_path / name).write_bytes(data)
    out = tmp_path / "made"
    predict(tmp_path, "--weights", weights, "--out", out, "--no-detect")
    sizes = {one["file_name"]: (one["height"], one["width"]) for one in coco_of(out)["images"]}
    assert sizes == {name: (1, 1) if name == "tiny.png" else (160, 200) for name in kinds}
    for name in kinds:
        if name != "tiny.png":
            picture = builders.decode_jpeg((out / "overlays" / f"{Path(name).stem}.jpg").read_bytes())
            assert picture.shape == (4 * 160, 4 * 200, 3)
    parts = {name: decode_map((out / "parts" / f"{Path(name).stem}.png").read_bytes(), name) for name in kinds}
    assert (parts["rgba.png"] == parts["exif.jpg"]).mean() > 0.9  # the same picture, but for JPEG
    assert (parts["grey.jpg"] == parts["sixteen.png"]).mean() > 0.9


def test_a_photo_as_one_person_covers_the_whole_and_needs_no_detector(tmp_path, weights):
    (tmp_path / "crop.png").write_bytes(builders.png(scene(2, 1)[0]))
    predict(
        tmp_path / "crop.png",
        "--weights",
        weights,
        "--out",
        tmp_path / "o",
        "--no-detect",
        options=["--set", "detector.backend=annotated"],
    )
    (one,) = coco_of(tmp_path / "o")["annotations"]
    assert one["found_bbox"] == [0, 0, 200, 160] and one["score"] == 1 and one["person"] == 1
    said = predict(
        tmp_path / "crop.png",
        "--weights",
        weights,
        "--out",
        tmp_path / "p",
        code=2,
        options=["--set", "detector.backend=annotated"],
    )
    assert "detector.backend: annotated, but photos have no annotation" in said.stderr and not (tmp_path / "p").exists()


def test_the_same_command_again_changes_nothing_and_new_photos_join(tmp_path, weights):
    album, out = tmp_path / "album", tmp_path / "out"
    album.mkdir()
    for seed in (1, 2):
        (album / f"{seed}.jpg").write_bytes(builders.jpeg(30, 20, seed))
    command = (album, "--weights", weights, "--out", out, "--no-detect")
    predict(*command)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert "2 of them done before" in predict(*command).output
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    (album / "3.jpg").write_bytes(builders.jpeg(30, 20, 3))
    (album / "1.jpg").write_bytes(b"broken now")
    assert "1 of them done before" in predict(*command, code=2).output
    assert [one["file_name"] for one in coco_of(out)["images"]] == ["1.jpg", "2.jpg", "3.jpg"]
    anew = tmp_path / "anew"
    (album / "1.jpg").write_bytes(builders.jpeg(30, 20, 1))
    predict(album, "--weights", weights, "--out", anew, "--no-detect")
    for path in anew.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (out / path.relative_to(anew)).read_bytes() or path.name == "rejects.jsonl"


def test_slips_are_told_in_one_line(tmp_path, weights):
    photo = tmp_path / "a.jpg"
    photo.write_bytes(builders.jpeg())
    out = tmp_path / "out"
    for arguments, text in (
        ([tmp_path / "none.jpg", "--weights", weights, "--out", out], "none.jpg: no such file or folder"),
        ([photo, "--weights", tmp_path / "none.pt", "--out", out], "none.pt: not found. Run `hpp train` first"),
        ([photo, "--weights", photo, "--out", out], "not a whole PyTorch file"),
        ([photo, "--out", out], "parser.pt: not found"),
        ([photo, "--weights", weights, "--out", tmp_path], f"holds files, and no {ABOUT}"),
        (["--weights", weights, "--out", out], "Missing argument 'IMAGE_OR_DIR...'"),
    ):
        said = predict(*arguments, code=2)
        assert text in said.stderr and len(said.stderr.splitlines()) == 1 and not out.exists()
        assert "arbitrary code" not in said.stderr  # torch's advice to switch its safeguard off
    said = predict(
        photo, "--weights", weights, "--out", out, "--no-detect", code=2, options=["--set", "evaluate.scales=[0.01]"]
    )
    assert "evaluate.scales: scale 0.01 leaves 0x0 of the input's 48x32" in said.stderr


def test_no_gpu_is_one_line(tmp_path, weights, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    (tmp_path / "a.jpg").write_bytes(builders.jpeg())
    command = (tmp_path / "a.jpg", "--weights", weights, "--out", tmp_path / "out")
    said = predict(*command, code=2, options=["--set", "executor.accelerator=cuda"])
    (line,) = said.stderr.splitlines()
    assert line.startswith("Error: executor.accelerator: cuda was asked for") and not (tmp_path / "out").exists()


@pytest.mark.skipif(not computes_in_int8(), reason="this processor does not compute in 8 bits")
def test_eight_bits_are_asked_for_told_and_kept_apart(tmp_path, weights):
    (tmp_path / "photo.jpg").write_bytes(encode_jpeg(scene(1, 2)[0]))
    out = tmp_path / "out"
    predict(tmp_path / "photo.jpg", "--int8", "--weights", weights, "--out", out)
    assert json.loads((out / ABOUT).read_text(encoding="utf-8"))["computed_in"] == "int8"
    assert coco_of(out)["annotations"]
    said = predict(tmp_path / "photo.jpg", "--weights", weights, "--out", out, code=2)
    assert "computed_in" in said.stderr
    said = predict(
        tmp_path / "photo.jpg", "--int8", "--out", out, options=["--set", "executor.accelerator=gpu"], code=2
    )
    assert "executor.accelerator" in said.stderr
