"""The report as a whole: complete, self-contained, safe, equal for equal inputs, and clear about what is missing."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from tests.trainer.report.conftest import FOUND, HOSTILE, write_inputs
from trainer.data.samples import ParsingSamples
from trainer.evaluate import PREDICTION_SCHEMA, split_hash
from trainer.report import build_report
from trainer.report.run import split_hash as manifest_hash

VOID = {"meta", "link", "img", "input", "br"}
LAYERS = ("edges.png", "heatmaps.png", "image.jpg", "mask.png", "prediction.png")


class Page(HTMLParser):
    """A page's elements, its text, and whether its tags are balanced."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A report, made once for all tests that only look at it."""
    root = tmp_path_factory.mktemp("made")
    build_report(write_inputs(root / "project"), root / "report")
    return root / "report"


@pytest.fixture(scope="module")
def page(folder) -> str:
    return (folder / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(page) -> dict:
    """What the page's script reads."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page).group(1))


def test_the_folder_holds_a_page_and_few_pictures(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        *(f"crowd-00-{layer}" for layer in ("image.jpg", "mask.png")),
        "index.html",
        *(f"toy-00-{layer}" for layer in LAYERS),
    ]
    assert not list(folder.parent.glob(".report*"))


def test_the_page_is_well_formed_and_reaches_nothing_outside(page, folder, data):
    parsed = Page(page)
    assert parsed.open == []
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in parsed.elements:
        for name in ("src", "href"):
            target = attributes.get(name, "")
            assert target in ("", "data:,") or target[1:] in ids
        assert tag != "img" or attributes["alt"]
        assert attributes.get("role") != "img" or attributes["aria-label"]
        assert attributes.get("aria-labelledby", ids[0]) in ids
    assert {file for sheet in data["sheets"] for file in sheet["files"].values()} | {"index.html"} == {
        path.name for path in folder.iterdir()
    }
    without_namespace = page.replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|@import", without_namespace)


def test_every_sample_is_in_the_gallery_the_worst_prediction_first(data):
    toy = [sample for sample in data["samples"] if sample["set"] == "toy"]
    assert len(data["samples"]) == 30 + 14 + FOUND and len(toy) == 44
    assert [sample.get("iou") for sample in toy] == [90.0 - index for index in range(13, -1, -1) if index != 5] + [
        None
    ] * 31
    unjudged = next(sample for sample in toy if sample["split"] == "val" and "iou" not in sample)
    assert unjudged["predicted"] == [2], "no judged pixel, yet an answer to look at"


def test_a_samples_record_tells_its_labels(data):
    sample = next(one for one in data["samples"] if one["id"] == "found.3")
    assert sample["source"] == "scene.1" and sample["score"] == 0.75 and sample["size"] == [44, 40]
    assert sample["found"] == {"pseudo": 6} and sample["confidence"] == 0.25
    assert sample["flags"] == ["joints", "unsure", "person", "ignored"]
    assert sample["layers"] == ["mask"]
    # 40 x 44 pixels become 171 x 188 in the tile's middle: (20, 10) lies at (20.5 / 44, 10.5 / 40) of them.
    left, top, width, height = sample["window"]
    assert (width, height) == (188, 171)
    x, y, v = sample["joints"][:3]
    assert (x, y, v) == (pytest.approx(left + width * 20.5 / 44, abs=0.06), pytest.approx(top + height * 10.5 / 40, abs=0.06), 2)  # fmt: skip
    assert sample["joints"][18:] == [0, 0, 0] * 11


def test_ids_of_a_data_set_are_escaped(page, data):
    assert HOSTILE not in page
    assert HOSTILE in {sample["id"] for sample in data["samples"]}


def test_no_path_of_this_machine_is_told(page, folder):
    assert str(folder.parent) not in page
    assert "/home/me" not in page and "rcnn.safetensors" in page


def test_sections_tell_what_the_inputs_hold(page):
    text = Page(page).text
    for told in (
        "corrpm (official)", "resnet18_slim", "21.75", "3.25", "12.50", "55.33", "321.00",
        "Not comparable: toy here is the drawn sample", "published on the real LIP validation set",
        "people of hardly a labelled pixel 3 – reported", "none in 1 checks",
        "confusion matrix",
    ):  # fmt: skip
        assert told.lower() in text.lower(), told
    assert text.index("upper-clothes") < text.index("right-shoe"), "classes stand in the label set's order"


def test_equal_inputs_give_equal_bytes(folder, inputs, tmp_path):
    build_report(inputs, tmp_path / "again")
    first, second = ({path.name: path.read_bytes() for path in made.iterdir()} for made in (folder, tmp_path / "again"))
    assert first == second


def test_an_old_report_is_replaced_whole_or_kept(inputs, tmp_path):
    out = tmp_path / "report"
    out.mkdir()
    (out / "old.txt").write_text("old")
    shutil.move(inputs.predictions, tmp_path / "aside")
    with pytest.raises(DataError):
        build_report(inputs, out)
    assert [path.name for path in out.iterdir()] == ["old.txt"]
    shutil.move(tmp_path / "aside", inputs.predictions)
    build_report(inputs, out)
    assert not (out / "old.txt").exists()


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("data/shards/toy/val", "hpp shard toy"),
        ("data/predictions", "hpp evaluate"),
        ("plots/train", "hpp train"),
        ("plots/evaluate", "hpp evaluate"),
        ("plots/evaluate/plots/custom/confusion.json", "hpp evaluate"),
        ("metrics/evaluate.json", "hpp evaluate"),
        ("metrics/fit_detector.json", "hpp fit-detector"),
        ("metrics/fit_pose.json", "hpp fit-pose"),
        ("metrics/crop/toy.json", "hpp crop toy"),
        ("metrics/shard/toy.json", "hpp shard toy"),
    ],
)
def test_a_missing_input_is_named_with_the_command_that_makes_it(inputs, tmp_path, missing, command):
    path = tmp_path / "project" / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DataError, match=re.escape(str(path))) as told:
        build_report(inputs, tmp_path / "report")
    assert f"`{command}`" in str(told.value)


@pytest.mark.parametrize("text", ["", "[]", "{"])
def test_metrics_that_are_no_object_are_named(inputs, tmp_path, text):
    (inputs.metrics / "fit_pose.json").write_text(text)
    with pytest.raises(DataError, match=r"fit_pose\.json.*hpp fit-pose"):
        build_report(inputs, tmp_path / "report")


def test_predictions_of_other_shards_are_refused(inputs, tmp_path):
    path = inputs.metrics / "evaluate.json"
    judged = json.loads(path.read_text())
    judged["protocol"]["split_sha256"] = "0" * 64
    path.write_text(json.dumps(judged))
    with pytest.raises(DataError, match="not the shards that"):
        build_report(inputs, tmp_path / "report")


def test_predictions_in_another_order_are_refused(inputs, tmp_path):
    file = inputs.predictions / "part-00002.parquet"
    table = pq.read_table(file)
    pq.write_table(table.take(list(range(len(table)))[::-1]).cast(PREDICTION_SCHEMA), file)
    with pytest.raises(DataError, match="Run `hpp evaluate` again"):
        build_report(inputs, tmp_path / "report")


def test_missing_predictions_are_counted(inputs, tmp_path):
    (inputs.predictions / "part-00002.parquet").unlink()
    with pytest.raises(DataError, match="10 predictions for 14 samples"):
        build_report(inputs, tmp_path / "report")


def test_a_real_source_is_told_how_it_may_be_compared(inputs, tmp_path):
    sets = {
        **inputs.params.datasets,
        "toy": inputs.params.datasets["toy"].model_copy(update={"source": "/data/real/LIP"}),
    }
    object.__setattr__(inputs, "params", inputs.params.model_copy(update={"datasets": sets}))
    build_report(inputs, tmp_path / "report")
    text = Page((tmp_path / "report" / "index.html").read_text(encoding="utf-8")).text
    assert "Comparable only where" in text and "/data/real" not in text


def test_a_set_that_was_labelled_by_machine_needs_no_section(inputs, tmp_path):
    crowd = {"crowd": inputs.params.datasets["crowd"]}
    object.__setattr__(inputs, "params", inputs.params.model_copy(update={"datasets": crowd}))
    build_report(inputs, tmp_path / "report")
    text = Page((tmp_path / "report" / "index.html").read_text(encoding="utf-8")).text
    assert "this run, on toy val" in text and "Comparable only where" in text


def test_a_splits_hash_is_the_one_that_evaluation_tells(inputs):
    samples = ParsingSamples([inputs.shards / "toy" / "val"], LABEL_SETS["lip"], KEYPOINT_SETS["lip16"])
    assert manifest_hash(samples.shards[0].manifest) == split_hash(samples)
