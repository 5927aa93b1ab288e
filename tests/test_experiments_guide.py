"""docs/experiments.md: its commands queue what the papers' tables have, and every queued run could be trained."""

from __future__ import annotations

import re
import shlex
from functools import cache
from itertools import product
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from dvc.cli import parse_args
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps

from pipeline.params import Params, load_params
from pipeline.params.presets import read_preset, with_preset
from stages.cli import COMMANDS, main
from stages.paths import PRESETS
from trainer.engine.training import make_card
from trainer.models import ParsingNetwork, build_model, model_options
from trainer.models.corrpm import without_unweighted

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "experiments.md").read_text(encoding="utf-8")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
DOWNLOADS = "(needs "

TABLE_5 = {
    "P": 48.67, "PP": 48.86, "P+B": 51.27, "P+K": 50.79, "P+B+K": 51.93, "PB": 53.11, "PK": 53.98, "PBB": 53.82,
    "PKK": 54.17, "CorrPM": 55.33,
}  # fmt: skip
TABLE_6 = {
    0: (48.72, 52.08, 52.77, 53.10, 53.98, 53.59),
    1: (50.98, 51.15, 52.03, 51.54, 53.78, 53.13),
    2: (53.08, 53.52, 54.08, 54.01, 55.33, 54.45),
    10: (53.12, 53.46, 53.57, 53.24, 53.45, 53.53),
}
BETAS = (0, 1, 10, 50, 70, 80)
TABLE_1 = {
    "VGG16-FCN": (69.1, 34.5), "VGG16-FCN-Add": (69.7, 36.5), "VGG16-FCN-Multi": (69.4, 35.8),
    "VGG16-FCN-Concat": (69.5, 36.1), "VGG16-FCN-MTL": (65.3, 31.2), "VGG16-FCN-Self": (69.8, 36.1),
    "VGG16-FCN-LA-Pose": (75.0, 32.1), "VGG16-FCN-LA-Parsing": (66.5, 40.0), "VGG16-FCN-MuLA": (76.0, 40.2),
}  # fmt: skip
TABLE_2 = {
    "HG-0s-1u-MuLA": (78.8, 38.5), "HG-1s-1u-MuLA": (82.2, 43.5), "HG-2×1u": (80.8, 41.3),
    "HG-2s-1u-MuLA (1st Stage)": (82.8, 45.5), "HG-2s-1u-MuLA (2nd Stage)": (83.1, 45.6),
    "HG-2s-1u-MuLA": (84.4, 46.9), "HG-3s-1u-MuLA": (85.0, 47.8), "HG-4s-1u-MuLA": (85.1, 48.9),
    "HG-5s-1u-MuLA": (85.4, 49.3),
}  # fmt: skip


def blocks() -> list[tuple[str, str]]:
    """(preset, commands) of every block."""
    return [
        (preset or "sample", text)
        for preset, text in re.findall(r"```bash(?: preset=(\S+))?\n(.*?)```", GUIDE, re.DOTALL)
    ]


def commands() -> list[tuple[str, str]]:
    """(preset, command) of every line."""
    return [(preset, line) for preset, text in blocks() for line in text.splitlines()]


GRIDS = [(preset, line) for preset, line in commands() if line.startswith("dvc exp run --queue")]


def rows(table: str) -> list[list[str]]:
    """Cells of a table of the guide, without its head."""
    (found,) = re.findall(rf"<!-- table {table} -->\n(.*?)<!-- end -->", GUIDE, re.DOTALL)
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in found.strip().splitlines()[2:]]


def sweep(command: str) -> list[list[str]]:
    """The overrides of every run that a command queues, as DVC takes it apart."""
    arguments = parse_args(shlex.split(command)[1:])
    assert arguments.queue and arguments.single_item and arguments.targets == ["train", "evaluate"]
    return [one["params.yaml"] for one in get_hydra_sweeps({"params.yaml": arguments.set_param})]


@cache
def params_file(folder: Path, preset: str) -> Path:
    """params.yaml after `hpp preset`."""
    file = folder / f"{preset}.yaml"
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    file.write_text(with_preset(text, read_preset(PRESETS, preset), "params.yaml")[0], encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("params")


@cache
def runs(folder: Path, preset: str, command: str) -> list[Params]:
    return [load_params(params_file(folder, preset), tuple(overrides)) for overrides in sweep(command)]


@cache
def narrow(name: str, variant: str) -> ParsingNetwork:
    """A model of that name, thin, without memory."""
    options = {"backbone": "resnet18_slim", "channels": 16, "dilations": (1, 2)}
    with torch.device("meta"):
        return build_model(name, 3, 2, variant, **{key: options[key] for key in model_options(name) if key in options})


@pytest.mark.parametrize("preset, command", GRIDS, ids=[f"{preset}-{n}" for n, (preset, _) in enumerate(GRIDS)])
def test_every_queued_run_fits_the_parameters_and_its_network_can_be_fed(preset, command, folder):
    queued = runs(folder, preset, command)
    assert len({params.model_dump_json() for params in queued}) == len(queued)
    for params in queued:
        card = make_card(params)
        narrow(card.model, card.variant).check_input_size(params.train.input_size)


@pytest.mark.parametrize(
    "preset, command", GRIDS[::2], ids=[f"{preset}-{n}" for n, (preset, _) in enumerate(GRIDS[::2])]
)
def test_dvc_writes_the_values_that_are_meant(preset, command, folder, tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text(params_file(folder, preset).read_text(encoding="utf-8"), encoding="utf-8")
    overrides = sweep(command)[-1]
    apply_overrides(file, overrides)
    assert load_params(file) == load_params(params_file(folder, preset), tuple(overrides))


def test_each_grid_stands_there_for_the_sample_and_as_published():
    assert [preset == "sample" for preset, _ in GRIDS] == [True, False] * (len(GRIDS) // 2)
    for (_, small), (_, whole) in zip(GRIDS[::2], GRIDS[1::2], strict=True):
        decisive = [
            {key: value for key, value in (one.split("=", 1) for one in shlex.split(line) if "=" in one)}
            for line in (small, whole)
        ]
        for values in decisive:
            values.pop("seed", None), values.pop("train.input_size", None)
        assert decisive[0] == decisive[1]


def test_published_grids_are_marked_and_name_their_preset():
    for before, preset in re.findall(r"(.*)\n\n```bash preset=(\S+)\n", GUIDE):
        if "Table 2's row" not in before and "sample" not in before and "```" not in before:
            assert f"`hpp preset {preset}` {DOWNLOADS}" in before


def grid(table: str) -> list[tuple[str, str]]:
    """The two commands of the section that holds a table."""
    start = GUIDE.index(f"<!-- table {table} -->")
    section = GUIDE[GUIDE.rindex("\n## ", 0, start) : start]
    return [(preset, line) for preset, line in GRIDS if line in section]


@pytest.mark.parametrize("table, published", [("5", TABLE_5), ("1", TABLE_1), ("2", TABLE_2)])
def test_rows_are_the_papers_and_the_grid_queues_them_all(table, published, folder):
    expected = {
        row: [f"{n:g}" if table != "5" else f"{n:.2f}" for n in (v if isinstance(v, tuple) else (v,))]
        for row, v in published.items()
    }
    found = {row: numbers for row, _, *numbers in rows(table)}
    assert list(found) == list(expected)
    assert {row: [float(n) for n in numbers] for row, numbers in found.items()} == {
        row: [float(n) for n in numbers] for row, numbers in expected.items()
    }
    models = [model for _, model, *_ in rows(table)]
    assert len(grid(table)) == 2
    for preset, command in grid(table):
        queued = runs(folder, preset, command)
        assert sorted({params.train.model for params in queued}) == sorted(models)
        if preset == "sample":
            assert sorted((params.train.model, params.seed) for params in queued) == sorted(product(models, (1, 2, 3)))


def test_table_6_is_the_papers_and_the_grid_queues_it_whole(folder):
    assert {int(alpha): tuple(map(float, values)) for alpha, *values in rows("6")} == TABLE_6
    for preset, command in grid("6"):
        weights = [(params.train.loss.alpha, params.train.loss.beta) for params in runs(folder, preset, command)]
        assert sorted(weights) == sorted(product(map(float, TABLE_6), map(float, BETAS)))
    row_of = {(0, 70): "corrpm-pk", (2, 0): "corrpm-pb", (0, 0): "corrpm-pp", (2, 70): "corrpm"}
    for (alpha, beta), row in row_of.items():
        assert without_unweighted("corrpm", alpha, beta) == row


def test_the_row_without_the_coarse_loss_leaves_all_else(folder):
    (plain,) = [command for preset, command in GRIDS if "coarse" in command and preset == "corrpm-lip"]
    (params,) = runs(folder, "corrpm-lip", plain)
    whole = load_params(params_file(folder, "corrpm-lip"))
    assert params.train.loss == whole.train.loss.model_copy(update={"coarse": 0.0})
    assert params.train.model == "corrpm"


def test_every_other_command_is_one_that_dvc_and_hpp_know():
    names = {*STAGES, *(f"{name}@lip" for name, stage in STAGES.items() if "foreach" in stage)}
    for preset, line in commands():
        words = shlex.split(line)
        if words[0] == "dvc":
            arguments = parse_args(words[1:])
            assert set(getattr(arguments, "targets", None) or []) <= names
        elif words[0] == "hpp":
            assert words[1] in COMMANDS, line
        else:
            assert words[0] == "git", (preset, line)


def test_columns_that_it_keeps_are_there():
    (pattern,) = re.findall(r"--keep '(.*?)'", GUIDE)
    metrics = ["scores.mean_iou", "scores.pckh_mean"]
    keys = ["train.model", "train.loss.alpha", "train.loss.beta", "train.loss.coarse", "seed", *metrics]
    assert all(re.match(pattern, key) for key in keys)
    assert not re.match(pattern, "train.lr")


def test_hpp_shows_the_presets_that_it_names():
    for preset in {preset for preset, _ in blocks()}:
        assert preset in CliRunner().invoke(main, ["preset"]).stdout
