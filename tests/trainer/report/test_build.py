"""The report as a whole: complete, self-contained, safe, equal for equal inputs, and clear about what is missing."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS
from tests.trainer.report.conftest import HOSTILE, write_inputs
from trainer.data.samples import ParsingSamples
from trainer.evaluate import PREDICTION_SCHEMA, split_hash
from trainer.report import build_report
from trainer.report.gallery import spread
from trainer.report.run import split_hash as manifest_hash

VOID = {"meta", "link", "img", "input", "br"}


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


def test_the_folder_holds_a_page_and_few_pictures(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "confusion.png",
        *(f"gallery-toy-{layer}" for layer in ("edges.webp", "heatmaps.webp", "image.jpg", "joints.webp", "mask.webp")),
        "index.html",
        *(f"worst-{layer}" for layer in ("image.jpg", "prediction.webp", "truth.webp")),
    ]
    assert not list(folder.parent.glob(".report*"))


def test_the_page_is_well_formed_and_reaches_nothing_outside(page, folder):
    parsed = Page(page)
    assert parsed.open == []
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in parsed.elements:
        for name in ("src", "href"):
            target = attributes.get(name, "")
            assert target in ("", "data:,") or target[1:] in ids or (folder / target).is_file()
        assert tag != "img" or attributes["alt"]
        assert attributes.get("role") != "img" or attributes["aria-label"]
        assert attributes.get("aria-labelledby", ids[0]) in ids
    for name in re.findall(r"url\('([^']*)'\)", page.replace("&#x27;", "'")):
        assert (folder / name).is_file()
    assert not re.search(r"https?://|@import", page)


def test_ids_of_a_data_set_are_escaped(page):
    assert HOSTILE not in page
    assert HOSTILE in Page(page).text


def test_no_path_of_this_machine_is_told(page, folder):
    assert str(folder.parent) not in page
    assert "/home/me" not in page and "rcnn.safetensors" in page


def test_sections_tell_what_the_inputs_hold(page):
    text = Page(page).text
    for told in (
        "corrpm (official)", "resnet18_slim", "train: 24 of 30", "val: 14 of 14", "21.75", "3.25", "12.50", "55.33",
        "Not comparable: toy here is the drawn sample", "published, on the real lip validation set", "321.00",
    ):  # fmt: skip
        assert told.lower() in text.lower(), told
    assert text.index("upper-clothes") < text.index("right-shoe"), "classes stand in the label set's order"


def test_the_lowest_mean_iou_comes_first_and_unjudged_samples_stay_out(page):
    listed = page[page.index('<ol class="worst"') :]
    found = re.findall(r"mean IoU ([\d.]+) %", listed)
    assert [float(value) for value in found] == [float(90 - index) for index in range(13, -1, -1) if index != 5][:12]


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
    sets = {"toy": inputs.params.datasets["toy"].model_copy(update={"source": "/data/real/LIP"})}
    object.__setattr__(inputs, "params", inputs.params.model_copy(update={"datasets": sets}))
    build_report(inputs, tmp_path / "report")
    text = Page((tmp_path / "report" / "index.html").read_text(encoding="utf-8")).text
    assert "Comparable only where" in text and "/data/real" not in text


def test_a_splits_hash_is_the_one_that_evaluation_tells(inputs):
    samples = ParsingSamples([inputs.shards / "toy" / "val"], LABEL_SETS["lip"], KEYPOINT_SETS["lip16"])
    assert manifest_hash(samples.shards[0].manifest) == split_hash(samples)


@pytest.mark.parametrize(("count", "expected"), [(0, []), (1, [0]), (3, [0, 1, 2])])
def test_small_splits_are_shown_whole(count, expected):
    assert spread(count) == expected


def test_samples_are_spread_over_the_whole_split():
    places = spread(1000)
    assert len(set(places)) == 24 and places[0] == 0 and places[-1] == 999
    assert max(b - a for a, b in pairwise(places)) <= 44
