"""The project's presets: every one fits params.yaml, its network can be built and fed, and its graph resolves."""

from functools import cache
from pathlib import Path

import pytest
import torch
import yaml
from click.testing import CliRunner
from dvc.repo import Repo

from pipeline.params import Params, load_params
from pipeline.params.presets import preset_names, read_preset, with_preset
from pipeline.sources.registry import load_registry
from stages.cli import main
from stages.paths import PRESETS, SOURCES
from trainer.engine.training import make_card
from trainer.models import build_model, model_options

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
NAMES = preset_names(PRESETS)
PAPERS = [name for name in NAMES if name.startswith(("corrpm", "mula"))]


@cache
def applied(name: str, text: str = TEXT) -> str:
    return with_preset(text, read_preset(PRESETS, name), "params.yaml")[0]


@cache
def params_of(name: str) -> Params:
    return Params.model_validate(yaml.safe_load(applied(name)))


def hpp(*arguments: str):
    return CliRunner().invoke(main, [*arguments])


@pytest.mark.parametrize("name", NAMES)
def test_a_second_time_changes_nothing(name):
    once = applied(name)
    again, changes = with_preset(once, read_preset(PRESETS, name), "params.yaml")
    assert again == once and changes == []


@pytest.mark.parametrize("name", NAMES)
def test_sample_takes_back_what_a_preset_did(name):
    """So that nothing of one paper's run is left in the next, which begins with sample."""
    assert yaml.safe_load(applied("sample", applied(name))) == yaml.safe_load(TEXT)


def test_sample_is_params_yaml_as_it_comes():
    assert applied("sample") == TEXT


@pytest.mark.parametrize("name", PAPERS)
def test_a_papers_run_is_the_same_from_wherever_it_begins(name):
    """It begins with all the values that any preset changes."""
    stale = TEXT.replace("epochs: 10", "epochs: 7").replace("sigma: 2.0", "sigma: 3.0").replace("lip16", "pascal14")
    assert yaml.safe_load(applied(name, stale)) == yaml.safe_load(applied(name))


@cache
def pose_cells(model: str, variant: str, size: tuple[int, int], **options: object) -> tuple[int, ...]:
    """(rows, columns) of the pose maps of the real network, without its memory; data sets differ in the last layers alone."""
    with torch.device("meta"):
        network = build_model(
            model, 3, 2, variant, **{key: options[key] for key in model_options(model) if key in options}
        )
        return tuple(network(torch.zeros(2, 3, *size)).pose[-1].shape[2:])


@pytest.mark.parametrize("name", PAPERS)
def test_a_papers_run_trains_a_network_that_can_be_built_and_fed(name):
    params, train = params_of(name), params_of(name).train
    assert set(train.datasets) == set(params.datasets) and make_card(params).model == train.model
    cells = pose_cells(
        train.model, train.variant, train.input_size,
        backbone=train.backbone, channels=train.channels, dilations=train.dilations,
    )  # fmt: skip
    assert cells == params.heatmaps.size
    assert tuple(side * params.heatmaps.stride for side in params.heatmaps.size) == train.input_size


@pytest.mark.parametrize("name", PAPERS)
def test_a_papers_run_asks_for_the_joints_that_its_set_or_its_teacher_gives(name):
    params = params_of(name)
    for one in params.train.datasets:
        own = params.dataset(one)
        assert params.train.label_set == own.label_set
        assert params.train.keypoint_set == (own.keypoint_set or "coco17")
        if own.keypoint_set is None:
            assert params.pose.weights == "coco"
        if own.people == "many":
            assert params.detector.weights == "coco"
        assert params.evaluate.split in own.splits and params.evaluate.protocol == own.layout


@pytest.mark.parametrize("name", PAPERS)
def test_a_papers_run_names_sets_that_are_published(name):
    params, published = params_of(name), load_registry(SOURCES)
    for one in (*params.datasets, *params.teacher_datasets):
        assert params.dataset(one).source == "sample" or one in published


@pytest.mark.parametrize("name", ["corrpm-lip", "mula-lip"])
def test_values_of_a_paper_carry_where_they_stand(name):
    """The first of a family: each line of `train`, `heatmaps` and `evaluate` says whether paper or code has it."""
    text = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8")
    bare = [
        line
        for line in text[text.index("\ntrain:") :].splitlines()
        if ":" in line and "#" not in line and not line.rstrip().endswith(":")
    ]
    named = (
        "datasets",
        "label_set",
        "keypoint_set",
        "model",
        "variant",
        "warmup_steps",
        "precision",
        "protocol",
        "split",
        "sigma_space",
        "coarse",
    )
    assert [line for line in bare if not line.strip().startswith(named)] == []


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """A DVC repository with dvc.yaml and params.yaml alone."""
    folder = tmp_path_factory.mktemp("graph")
    for name in ("dvc.yaml", "params.yaml"):
        (folder / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    return Repo.init(str(folder), no_scm=True)


@pytest.mark.parametrize("name", NAMES)
def test_the_graph_resolves(name, repo):
    text = applied(name)
    (Path(repo.root_dir) / "params.yaml").write_text(text, encoding="utf-8")
    repo._reset()
    content = yaml.safe_load(text)
    stages = {stage.name: stage for stage in repo.index.stages}
    for one in content["datasets"]:
        assert {
            f"{step}@{one}" for step in ("download", "ingest", "crop", "edges", "pose", "heatmaps", "shard")
        } <= set(stages)
    assert len([one for one in stages if one.startswith("crop@")]) == len(content["datasets"])
    for stage in stages.values():
        for dep in stage.deps:
            for key in getattr(dep, "params", None) or []:
                place = content
                for step in key.split("."):
                    assert step in place, f"{stage.name}: {key}"
                    place = place[step]


def test_the_command_lists_them_with_a_line_each():
    done = hpp("preset")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0 and [line.split()[0] for line in lines] == NAMES
    assert all(len(line.split(maxsplit=1)[1]) > 20 for line in lines)


def test_the_command_writes_params_yaml_and_says_what_changed(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text(TEXT, encoding="utf-8")
    done = hpp("--params", str(file), "preset", "corrpm-lip")
    assert done.exit_code == 0, done.output
    assert file.read_text(encoding="utf-8") == applied("corrpm-lip")
    lines = done.stdout.splitlines()
    assert "train.lr: 0.002 → 0.001" in lines and "datasets.lip.source: sample → published" in lines
    assert any(line.startswith("datasets.cihp: taken out, was {source: sample,") for line in lines)
    assert lines[-1].startswith(f"preset corrpm-lip: {len(lines) - 1} values changed in ")
    assert load_params(file).train.backbone == "resnet101" and [one.name for one in tmp_path.iterdir()] == [
        "params.yaml"
    ]
    written = file.stat().st_mtime_ns
    again = hpp("--params", str(file), "preset", "corrpm-lip")
    assert again.stdout.startswith("preset corrpm-lip: 0 values changed") and file.stat().st_mtime_ns == written


@pytest.mark.parametrize(
    "text, name, message",
    [
        (TEXT, "corrpm-lipp", f"NAME: no preset 'corrpm-lipp', expected one of {', '.join(NAMES)}"),
        ("a: [\n", "corrpm-lip", "not readable as YAML"),
        (TEXT.replace("seed: 1", "sead: 1"), "corrpm-lip", "with preset corrpm-lip: seed is missing"),
        (None, "corrpm-lip", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_nothing_is_written(tmp_path, text, name, message):
    file = tmp_path / "params.yaml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    done = hpp("--params", str(file), "preset", name)
    assert done.exit_code == 2 and message in done.stderr and done.stderr.count("\n") == 1
    assert text is None or file.read_text(encoding="utf-8") == text


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    file = tmp_path / "params.yaml"
    file.write_text(TEXT, encoding="utf-8")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    assert hpp("--params", str(file), "preset", "corrpm-lip").exit_code != 0
    assert file.read_text(encoding="utf-8") == TEXT and [one.name for one in tmp_path.iterdir()] == ["params.yaml"]
