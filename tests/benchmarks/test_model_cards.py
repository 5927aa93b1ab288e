"""docs/models.md says what is so: its figures exist, its counts are the networks', its arrows the tensors' ways."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import nn

from tests.benchmarks.loading import ROOT, load_script
from trainer.models import build_model, model_names

PAGE = (ROOT / "docs/models.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip("` "): cells
    for cells in (line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| `"))
}

cards = load_script("model_cards")


def test_every_model_stands_in_the_table_with_its_published_score() -> None:
    assert set(model_names()) <= set(ROWS)
    for name in model_names():
        assert [cell.strip() for cell in ROWS[name][4:7]] == list(cards.PUBLISHED[name])
    assert "**The scores are published ones**" in PAGE


@pytest.mark.parametrize(
    "name", ["corrpm", "corrpm-p+b", "hg-2s-1u-mula", "vgg16-fcn-mula", "vgg16-fcn-mtl", "fcn-8s", "ce2p"]
)
def test_parameter_counts_are_those_of_the_networks(name: str) -> None:
    with torch.device("meta"):
        network = build_model(name, 20, 16)
    assert ROWS[name][2].strip() == f"{sum(weight.numel() for weight in network.parameters()):,}"


def test_figures_that_the_page_shows_are_there() -> None:
    shown = set(re.findall(r"!\[.*?\]\(models/(.+?)\)", PAGE))
    assert shown == {f"{card}.svg" for card in cards.CARDS} == {path.name for path in (ROOT / "docs/models").iterdir()}


def test_arrows_are_the_ways_of_the_tensors(tmp_path: Path) -> None:
    boxes = cards.trace("vgg16-fcn-la-pose")
    assert set(boxes["exchanges.0.tailoring.pose"].sources) == {"pose.encoders.0", "parsing.encoders.0"}
    assert set(boxes["parsing.classifiers.0"].sources) == {"parsing.encoders.0"}
    assert set(boxes["-> pose"].sources) == {"pose.classifiers.0"}
    assert boxes["parsing.encoders.0"].shapes[-1] == (512, 32, 32)
    assert boxes["parsing.classifiers.0"].parameters == 512 * 20 + 20
    assert boxes["parsing.classifiers.0"].flops == 2 * 512 * 20 * 32 * 32
    assert cards.columns(boxes)["-> parsing"] == cards.columns(boxes)["-> pose"] == 4
    for name in ("a.svg", "b.svg"):
        cards.draw(boxes, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_ways_through_functions_are_followed() -> None:
    flow, images = cards.Flow(), torch.zeros(1, 2, 4, 4)
    flow.mark(images, {"images": None})
    with flow:
        halves = images.chunk(2, dim=1)
        joined = torch.cat([nn.functional.interpolate(half, scale_factor=2) for half in halves])
        assert flow.origins(joined) == {"images": None} and flow.origins(torch.zeros(1)) == {}


def test_a_page_without_a_mark_is_told(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- table x -->\nold\n<!-- end -->\nb\n", encoding="utf-8")
    with cards.filled(page) as tables:
        tables["x"] = "new"
    assert page.read_text(encoding="utf-8") == "a\n<!-- table x -->\nnew\n<!-- end -->\nb\n"
    with pytest.raises(SystemExit, match="has no mark <!-- table y -->"), cards.filled(page) as tables:
        tables["y"] = "new"
