"""Presets: bases, what is merged and what is replaced, and what is said of it."""

from pathlib import Path

import pytest
import yaml

from pipeline.errors import ParamsError
from pipeline.params.presets import Change, Preset, differences, laid_over, preset_names, read_preset, with_preset

TEXT = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")


def write(folder, **presets):
    for name, text in presets.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_sections_are_merged_and_all_else_is_replaced():
    content = {"train": {"lr": 1, "loss": {"alpha": 1, "beta": 2}, "scale": [1, 2]}, "datasets": {"a": 1}, "seed": 1}
    values = {"train": {"loss": {"beta": 3}, "scale": [4]}, "datasets": {"b": 2}}
    merged = laid_over(content, values)
    assert merged == {
        "train": {"lr": 1, "loss": {"alpha": 1, "beta": 3}, "scale": [4]},
        "datasets": {"b": 2},
        "seed": 1,
    }
    assert content["train"]["loss"] == {"alpha": 1, "beta": 2}


def test_a_section_that_is_not_there_is_made():
    assert laid_over({}, {"train": {"loss": {"beta": 3}}}) == {"train": {"loss": {"beta": 3}}}


def test_a_preset_stands_on_its_base(tmp_path):
    write(
        tmp_path,
        low="about: low\ntrain: {lr: 0.1, epochs: 3}\ndatasets: {a: {}}\n",
        middle="about: middle\nbase: low\ntrain: {epochs: 4}\ndatasets: {b: {}}\n",
        high="about: high\nbase: middle\nseed: 3\n",
    )
    assert preset_names(tmp_path) == ["high", "low", "middle"]
    assert read_preset(tmp_path, "high") == Preset(
        "high", "high", {"train": {"lr": 0.1, "epochs": 4}, "datasets": {"b": {}}, "seed": 3}
    )


@pytest.mark.parametrize(
    "text, message",
    [
        ("seed: 1\n", r"one\.yaml: about: found None, expected one line"),
        ('about: "a\\nb"\n', r"one\.yaml: about: found 'a\\nb'"),
        ("about: x\nbase: nothing\n", r"one\.yaml: base: found 'nothing', expected another preset"),
        ("about: x\nbase: one\n", r"one\.yaml: base: found 'one', expected another preset, in no circle"),
        ("about: [\n", r"one\.yaml: not readable as YAML"),
    ],
)
def test_a_damaged_preset_is_told(tmp_path, text, message):
    with pytest.raises(ParamsError, match=message):
        read_preset(write(tmp_path, one=text), "one")


def test_an_unknown_name_is_told_with_the_known_ones(tmp_path):
    with pytest.raises(ParamsError, match=r"NAME: no preset 'x', expected one of a, b$"):
        read_preset(write(tmp_path, a="about: a\n", b="about: b\n"), "x")


def test_values_that_do_not_go_together_are_told_before_anything_is_written():
    for values, message in (
        ({"train": {"lrr": 1}}, r"params\.yaml with preset x: train\.lrr is not a known key"),
        ({"detector": {"weights": "coco"}}, r"params\.yaml with preset x: detector\.weights: expected sample"),
    ):
        with pytest.raises(ParamsError, match=message):
            with_preset(TEXT, Preset("x", "about", values), "params.yaml")


def test_what_changed_is_named_key_by_key():
    text, changes = with_preset(TEXT, Preset("x", "about", {"train": {"lr": 0.5, "epochs": 10}}), "params.yaml")
    assert changes == [Change("train.lr", "0.002", "0.5")]
    assert text == TEXT.replace("  lr: 0.002\n", "  lr: 0.5\n")
    before, after = {"a": {"b": 1, "c": {"d": 1}}, "e": None}, {"a": {"b": 1, "c": {}, "f": [2]}}
    assert differences(before, after) == [
        Change("a.c", "{d: 1}", "{}"),
        Change("a.f", None, "[2]"),
        Change("e", "null", None),
    ]


def test_comments_and_blank_lines_of_what_stays_are_kept():
    content = yaml.safe_load(TEXT)
    only_cihp = {"datasets": {"cihp": content["datasets"]["cihp"]}, "heatmaps": {"size": [96, 96]}}
    text, _ = with_preset(TEXT, Preset("x", "about", only_cihp), "params.yaml")
    lines, before = text.splitlines(), TEXT.splitlines()
    changed = next(line for line in lines if "size: [96, 96]" in line)
    assert changed.endswith("# cells (height, width); times stride it is the input that crops are letterboxed to")
    gone = TEXT[TEXT.index("  lip:\n") : TEXT.index("  cihp:\n")].splitlines()
    kept = [line for line in before if line not in gone and not line.startswith("  size: [40, 24]")]
    assert [line for line in lines if line != changed and line not in gone] == kept
