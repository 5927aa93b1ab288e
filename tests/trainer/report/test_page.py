"""The page in a browser: every switch, filter and key does what it says, labels sit on the people, nothing is fetched."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pipeline.geometry.affine import transform_points
from pipeline.labels import edge_map
from pipeline.shards import open_shards
from pipeline.taxonomy import LABEL_SETS
from tests.trainer.report.conftest import FOUND, write_inputs
from trainer.report import ReportInputs, build_report, gallery
from trainer.report.choice import MOST, Chosen
from trainer.report.drawing import Drawing
from trainer.report.layers import TILE_HW, place

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
ALL = 30 + 14 + FOUND


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One for all tests here; closed after them, as its event loop would be in the way of other tests'."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the Python package playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> ReportInputs:
    return write_inputs(tmp_path_factory.mktemp("page") / "project")


@pytest.fixture(scope="module")
def report(inputs, browser) -> Path:
    """A report, made once; without a browser it is not worth the time."""
    folder = inputs.shards.parents[2] / "report"
    build_report(inputs, folder)
    return folder


@pytest.fixture
def show(browser) -> Iterator[Any]:
    """Opens a report; at the end the page must have said nothing and asked for nothing but its own files."""
    context = browser.new_context()
    said: list[str] = []
    asked: list[str] = []

    def open_page(folder: Path, size: str = "desktop") -> Any:
        page = context.new_page()
        page.set_viewport_size(dict(zip(("width", "height"), SIZES[size], strict=True)))
        page.set_default_timeout(20_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"file://{folder / 'index.html'}")
        asked.remove(page.url)
        own.append(f"file://{folder}/")
        return page

    own: list[str] = []
    yield open_page
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith(("data:", "about:", *own))] == []


def cards(page) -> list[str]:
    """Ids of the cards in their order."""
    return page.locator(".tiles .card b").all_text_contents()


def showing(page, layer: str) -> bool:
    return page.locator(f".tiles li:first-child .layer.{layer}").is_visible()


@pytest.mark.parametrize("size", SIZES)
def test_the_page_fits_its_screen_and_draws_what_is_in_sight(show, report, size):
    page = show(report, size)
    assert len(cards(page)) == ALL
    assert page.evaluate("document.documentElement.scrollWidth") == SIZES[size][0]
    for anchor in ("run", "result", "worst", "gallery", "labels", "curves"):
        page.locator(f"nav a[href='#{anchor}']").click()
        assert page.locator(f"#{anchor} h2").is_visible()
    assert page.locator(".worst .card").count() == 12
    assert page.locator(".status").text_content() == f"{ALL} of {ALL} people"


@pytest.mark.parametrize("size", SIZES)
def test_every_layer_can_be_switched_on_and_off(show, report, size):
    page = show(report, size)
    page.locator(".tiles .card").first.scroll_into_view_if_needed()
    page.locator(".tiles li:first-child .layer.image").wait_for(state="visible")
    assert [showing(page, layer) for layer in ("mask", "edges", "joints", "heatmaps", "prediction")] == [
        True,
        *[False] * 4,
    ]
    for layer in ("mask", "edges", "joints", "heatmaps", "prediction"):
        before = showing(page, layer)
        page.locator(f".controls [data-layer={layer}]").click()
        assert showing(page, layer) != before, layer
    page.get_by_role("button", name="Show all").click()
    assert page.get_attribute("body", "data-show") == "mask"
    assert page.locator(".controls [data-layer=edges]").is_checked() is False


@pytest.mark.parametrize("size", SIZES)
def test_every_filter_leaves_what_it_names(show, report, size):
    page = show(report, size)

    def choose(name: str, value: str) -> list[str]:
        page.evaluate("document.querySelector('.controls').reset()")
        field = page.locator(f".filters [name={name}]")
        field.fill(value) if name == "text" else field.select_option(value)
        return cards(page)

    assert choose("set", "crowd") == [f"found.{index}" for index in range(FOUND)]
    assert len(choose("split", "val")) == 14 and len(choose("split", "train")) == 30 + FOUND
    assert len(choose("part", "face")) == ALL and choose("part", "scarf") == []
    assert page.locator(".status").text_content() == "No sample fits these filters."
    assert choose("flag", "unsure") == [f"found.{index}" for index in range(FOUND)]
    assert choose("flag", "worst") == ["val.13_a.b", "val.12_a.b"]
    assert choose("text", "VAL.1_") == ["val.1_a.b"]
    assert choose("order", "best")[1:3] == ["val.1_a.b", "val.2_a.b"]
    by_id = choose("order", "id")
    assert by_id == sorted(by_id)
    assert choose("order", "unsure")[:FOUND] == [f"found.{index}" for index in range(FOUND)]
    assert choose("order", "worst")[:2] == ["val.13_a.b", "val.12_a.b"]
    page.locator("[name=set]").select_option("toy")
    page.locator("[name=split]").select_option("train")
    page.locator("[name=text]").fill("1")
    assert cards(page) == [f"train.{index}_a.b" for index in range(30) if "1" in str(index)], "filters add up"
    page.get_by_role("button", name="Show all").click()
    assert len(cards(page)) == ALL


def test_the_keyboard_leads_through_the_gallery_and_the_large_view(show, report):
    page = show(report)
    page.locator("[name=text]").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")

    def focused() -> str:
        return page.evaluate("document.activeElement.querySelector('b')?.textContent")

    assert focused() == "val.13_a.b", "one stop for the whole gallery, its first card"
    page.keyboard.press("ArrowRight")
    assert focused() == "val.12_a.b"
    columns = page.evaluate("getComputedStyle(document.querySelector('.tiles')).gridTemplateColumns.split(' ').length")
    page.keyboard.press("ArrowDown")
    assert focused() == cards(page)[1 + columns]
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("End")
    assert focused() == cards(page)[-1]
    page.keyboard.press("Home")
    page.locator(".tiles li:first-child .layer.image").wait_for(state="visible")
    for key, layer in {"p": "mask", "e": "edges", "j": "joints", "h": "heatmaps", "d": "prediction"}.items():
        before = showing(page, layer)
        page.keyboard.press(key)
        assert showing(page, layer) != before, layer
    page.keyboard.press("Enter")
    title = page.locator("#detail-title")
    assert page.locator("dialog").is_visible() and title.text_content() == "val.13_a.b"
    page.keyboard.press("ArrowRight")
    assert title.text_content() == "val.12_a.b"
    page.keyboard.press("e")
    assert not page.locator("dialog .layer.edges").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    # The focus is where one stopped looking.
    page.wait_for_function("document.activeElement.querySelector('b')?.textContent === 'val.12_a.b'")


@pytest.mark.parametrize("size", SIZES)
def test_the_large_view_tells_of_one_sample(show, report, size):
    page = show(report, size)
    page.locator(".worst .card").first.click()
    dialog = page.locator("dialog")
    assert dialog.locator(".views small").all_text_contents() == ["label", "prediction"]
    facts = dialog.locator(".facts").text_content()
    for told in ("toy val", "32 × 61 pixels", "5 annotated joints", "77.0 %", "50.0 %", "predictions: the worst tenth"):
        assert told in facts, told
    assert dialog.locator("[aria-label='Parts in the prediction'] li").all_text_contents() == ["prediction", "hair"]
    previous, following = (dialog.get_by_role("button", name=f"{name} sample") for name in ("Previous", "Next"))
    assert previous.get_attribute("aria-disabled") == "true"
    previous.click(force=True)
    following.click()
    assert page.locator("#detail-title").text_content() == "val.12_a.b"
    for layer in ("mask", "edges", "joints", "heatmaps"):
        picture = dialog.locator(f".views .layer.{layer}")
        before = picture.is_visible()
        dialog.locator(f"[data-layer={layer}]").click()
        assert picture.is_visible() != before, layer
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= SIZES[size][0]
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()
    page.locator("[name=set]").select_option("crowd")
    page.locator(".tiles .card").first.click()
    assert dialog.locator(".views small").all_text_contents() == ["label"]
    assert "6 pseudo joints" in dialog.locator(".facts").text_content()
    assert "scene.0" in dialog.locator(".facts").text_content()


def test_a_sample_has_an_address_of_its_own(show, report):
    page = show(report)
    page.locator(".worst .card").nth(1).click()
    address = page.url
    assert address.endswith("index.html#sample=toy/val/val.12_a.b")
    page.get_by_role("button", name="Close").click()
    page.wait_for_function("location.hash === ''")
    page.goto("about:blank")
    page.goto(address)
    assert page.locator("dialog #detail-title").text_content() == "val.12_a.b"


def test_labels_sit_exactly_on_the_people(show, report, inputs):
    """Each layer alone on black, as the browser shows it, against the stored label brought to the same size."""
    page = show(report)
    index = 7
    sample = open_shards(inputs.shards / "toy" / "train")[index]
    page.add_style_tag(content=".layer.image { visibility: hidden } dialog { background: #000 !important } .layer.mask { opacity: 1 !important }")  # fmt: skip
    page.locator("[name=text]").fill(f"train.{index}_")
    page.locator(".tiles .card").first.click()

    def alone(layer: str) -> np.ndarray:
        page.evaluate("layer => document.body.dataset.show = layer", layer)
        seen = np.zeros((SIZES["desktop"][1], SIZES["desktop"][0], 3), int)
        inside = slice(int(y), int(y + height) + 1), slice(int(x), int(x + width) + 1)
        for _ in range(50):
            shot = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
            seen[inside] = shot[inside]
            if seen.any():  # else the sheet is not decoded yet
                break
        return seen

    x, y, width, height = page.locator("dialog .views .stack").first.bounding_box().values()
    # The crop fills its window of the tile, the tile fills the stack; a pixel's centre is half a pixel inside its area.
    window, zoom = place(sample.height, sample.width), height / TILE_HW[0]
    scale = np.array([window.width / sample.width, window.height / sample.height]) * zoom
    shift = np.array([x + window.left * zoom, y + window.top * zoom]) + scale / 2 - 0.5
    to_screen = np.column_stack([np.diag(scale), shift])
    mask = sample.decode_mask()
    picture = alone("mask")
    screen = picture.shape[1::-1]
    for part in (5, 13, 16, 17):
        seen = np.abs(picture - LABEL_SETS["lip"].palette[part]).max(axis=2) < 40
        wanted = cv2.warpAffine((mask == part).astype(np.float32), to_screen, screen) > 0.5
        assert (seen & wanted).sum() / (seen | wanted).sum() > 0.97, part
    edges = alone("edges").mean(axis=2) > 127
    wanted = cv2.warpAffine(edge_map(mask).astype(np.float32), to_screen, screen) > 0.5
    assert (edges & wanted).sum() / (edges | wanted).sum() > 0.95
    points = transform_points(to_screen, sample.keypoints[sample.keypoints[:, 2] > 0, :2].astype(float))
    heat = alone("heatmaps").sum(axis=2)
    for x_, y_ in points.round().astype(int):
        # CorrPM's heatmaps are rounded to cells of four input pixels; here an input pixel is a crop's.
        reach = int(3 * scale.max())
        assert heat[max(0, y_ - reach) : y_ + reach, max(0, x_ - reach) : x_ + reach].max() > 0.9 * heat.max()
    alone("joints")
    circles = page.evaluate(
        """() => [...document.querySelectorAll("dialog .joints circle")].map((circle) => {
            const box = circle.getBoundingClientRect();
            return [box.x + box.width / 2 - 0.5, box.y + box.height / 2 - 0.5]; })"""
    )
    np.testing.assert_allclose(circles, points, atol=0.2)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(show, report, scheme):
    """Contrast of WCAG AA, 4.5 to 1, of every text with what lies behind it."""
    page = show(report)
    page.emulate_media(color_scheme=scheme)
    page.locator(".worst .card").first.click()
    low = page.evaluate((Path(__file__).parent / "contrast.js").read_text(encoding="utf-8"))
    assert low == []


def test_without_a_mouse_or_a_screen_it_prints(show, report):
    page = show(report)
    page.emulate_media(media="print")
    assert not page.locator(".controls").is_visible() and not page.locator("nav").is_visible()
    assert page.locator("#result table").first.is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator(".tiles .layer.image").count() == 36 == page.locator(".tiles li:visible").count()


def test_two_thousand_samples_weigh_and_wait_so_much(show, inputs, tmp_path, monkeypatch, capsys):
    """Told, not judged: the figures depend on the machine. What is judged is that all are there and few files hold them."""
    drawn = lru_cache(maxsize=None)(Drawing.draw)
    numbers = iter(range(MOST))

    def renamed(drawing: Drawing, one: Chosen) -> Any:
        tiles, record = drawn(drawing, one)
        return tiles, {**record, "id": f"{next(numbers):06d}_{record['id']}"}

    def repeated(splits: Any, predictions: Any, judged: Any, seed: int) -> list[Chosen]:
        return [Chosen("toy", "val", index % 14, predictions[index % 14]) for index in range(MOST)]

    monkeypatch.setattr(Drawing, "draw", renamed)
    monkeypatch.setattr(gallery, "choose", repeated)
    build_report(inputs, tmp_path / "report")
    files = list((tmp_path / "report").iterdir())
    began = time.perf_counter()
    page = show(tmp_path / "report")
    opened = time.perf_counter() - began
    began = time.perf_counter()
    page.locator("[name=text]").fill("000123_")
    assert len(cards(page)) == 1
    filtered = time.perf_counter() - began
    page.get_by_role("button", name="Show all").click()
    assert page.locator(".tiles .card").count() == MOST
    assert len(files) < 100
    weight = sum(file.stat().st_size for file in files)
    with capsys.disabled():
        print(
            f"\n2,000 samples: {len(files)} files, {weight / 1e6:.1f} MB of which the page "
            f"{(tmp_path / 'report/index.html').stat().st_size / 1e6:.2f} MB; ready {opened:.2f} s after opening, "
            f"filtered in {filtered:.2f} s"
        )
