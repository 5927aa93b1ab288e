"""Targets taken from the shards: those that would be drawn, or a line that says why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from pipeline.errors import DataError, ParamsError
from pipeline.images import encode_png
from pipeline.labels import edge_map, gaussian_heatmaps
from pipeline.params import Augment
from pipeline.shards.manifest import MANIFEST_NAME, Manifest, ShardEntry, sha256_of
from pipeline.shards.write import npz_bytes
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS, LabelSet
from tests.trainer.builders import make_params, make_sample, write_shards
from trainer.data.epoch_batches import EpochBatches
from trainer.data.samples import ParsingSamples
from trainer.data.targets import make_targets
from trainer.data.training_data import training_data, training_loader
from trainer.input_spec import input_spec

LIP, LIP16 = LABEL_SETS["lip"], KEYPOINT_SETS["lip16"]
SIZE = (48, 32)
SPEC = input_spec("official", SIZE)
STILL = {"flip": 0, "rotate_share": 0, "scale": [1, 1]}


def stored_params(convention="corrpm", **train):
    return make_params(convention=convention, input_size=list(SIZE), augment=STILL, **{"targets": "stored", **train})


def write_stored(root: Path, params, samples=None, draw=edge_map, **changed) -> Path:
    """Shards of samples with their edges, and the heatmaps that they point at, as the stages write them."""
    rules = params.heatmaps
    samples = samples or [make_sample(number, hw=SIZE) for number in range(6)]
    samples = [replace(one, edge=encode_png(draw(one.decode_mask(), params.edges.width))) for one in samples]
    folder = write_shards(root / "shards" / "toy" / "train", samples)
    maps = root / "heatmaps" / "toy" / "train"
    maps.mkdir(parents=True)
    entries = []
    for number, start in enumerate((0, 5)):
        drawn = {
            one.sample_id: gaussian_heatmaps(
                one.keypoints, rules.size, rules.stride, rules.sigma, rules.sigma_space, rules.convention
            ).astype(np.float16)
            for one in samples[start : start + 5]
        }
        data = npz_bytes(drawn.items(), compress=True)
        (maps / f"heatmaps-{number:05d}.npz").write_bytes(data)
        entries.append(ShardEntry(f"heatmaps-{number:05d}.npz", len(drawn), len(data), "unread"))
    made = Manifest.read(folder)
    parameters = {**rules.model_dump(mode="json"), **changed.get("heatmaps", {})}
    replace(made, kind="heatmaps", parameters=parameters, shards=tuple(entries)).write(maps)
    link = {"path": "../../../heatmaps/toy/train", "sha256": sha256_of(maps / MANIFEST_NAME)}
    edges = {**params.edges.model_dump(mode="json"), **changed.get("edges", {})}
    replace(made, parameters={"row_group": 2, "edges": edges}, links={"heatmaps": link}).write(folder)
    return folder


def samples_of(folder: Path) -> ParsingSamples:
    return ParsingSamples([folder], LIP, LIP16)


def targets_of(params, samples, workers=0, background=False):
    batches = EpochBatches(len(samples), 3, seed=1)
    loader = training_loader(training_data(params, samples, SPEC), batches, workers, pin=False)
    return [make_targets(batch, params.edges.width, params.heatmaps, background=background) for batch in loader]


@pytest.mark.parametrize("convention", ["corrpm", "mula", "exact"])
@pytest.mark.parametrize("workers", [0, 1])
def test_stored_targets_are_those_that_would_be_drawn(tmp_path: Path, convention, workers):
    params = stored_params(convention)
    samples = samples_of(write_stored(tmp_path, params))
    background = convention == "mula"
    stored = targets_of(params, samples, workers, background)
    drawn = targets_of(stored_params(convention, targets="drawn"), samples, 0, background)
    assert len(stored) == 2
    for one, other in zip(stored, drawn, strict=True):
        assert one.edges.any() and torch.equal(one.edges, other.edges)
        assert torch.equal(one.parsing, other.parsing) and torch.equal(one.keypoint_weights, other.keypoint_weights)
        assert one.heatmaps.shape == (3, 16 + background, 12, 8) and one.heatmaps.dtype == torch.float32
        assert one.heatmaps.max() > 0.9
        torch.testing.assert_close(one.heatmaps, other.heatmaps, rtol=0, atol=2**-11)  # they are stored in half


def test_stored_targets_are_read_and_not_drawn(tmp_path: Path):
    params = stored_params()
    folder = write_stored(tmp_path, params, draw=lambda mask, width: np.ones_like(mask))
    assert all(targets.edges.all() for targets in targets_of(params, samples_of(folder)))


def test_augmentation_that_moves_samples_is_refused():
    with pytest.raises(ValidationError, match=r"augment moves them: flip 0\.5, .* Set flip, .* or targets to drawn"):
        make_params(targets="stored", augment={**STILL, "flip": 0.5})
    for move in ({"translate_px": 2}, {"scale": [0.9, 1]}, {"rotate_share": 0.1}):
        with pytest.raises(ValidationError, match="augment moves them"):
            make_params(targets="stored", augment={**STILL, **move})
    make_params(targets="stored", augment={**STILL, "brightness": 0.2})
    assert not Augment(flip=0, rotate_deg=0, scale=(1, 1)).moves


def test_heatmaps_of_another_input_are_refused(tmp_path: Path):
    params = stored_params()
    samples = samples_of(write_stored(tmp_path, params))
    with pytest.raises(
        ParamsError, match=r"heatmaps of 12x8 cells of 4 pixels cover an input of 48x32, train\.input_size is 64x32\."
    ):
        training_data(params, samples, input_spec("official", (64, 32)))


def test_crops_of_another_size_are_refused(tmp_path: Path):
    params = stored_params()
    samples = [make_sample(0, hw=SIZE), make_sample(1, hw=(48, 31))]
    with pytest.raises(
        ParamsError, match=r"edges of sample train\.1_a\.b are of 48x31, train\.input_size is 48x32\. .*targets: drawn"
    ):
        training_data(params, samples_of(write_stored(tmp_path, params, samples)), SPEC)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"heatmaps": {"sigma": 7.0}}, r"stored heatmaps have sigma 7\.0, heatmaps\.sigma is 1\.5\."),
        ({"heatmaps": {"convention": "exact"}}, r"stored heatmaps have .*(sigma_space input|convention exact)"),
        ({"heatmaps": {"size": [24, 16]}}, r"have size \[24, 16\], heatmaps\.size is \[12, 8\]"),
        ({"edges": {"width": 5}}, r"stored edges have width 5, edges\.width is 3\."),
        ({"edges": {"between_people": True}}, "have between_people True, edges.between_people is False"),
    ],
)
def test_labels_of_other_parameters_are_refused(tmp_path: Path, changed, told):
    params = stored_params()
    folder = write_stored(tmp_path, params, **changed)
    with pytest.raises(ParamsError, match=told):
        training_data(params, samples_of(folder), SPEC)


def test_how_they_are_packed_and_a_default_told_do_not_matter(tmp_path: Path):
    params = stored_params()
    folder = write_stored(tmp_path, params, heatmaps={"compress": False, "sigma_space": "cells"})
    training_data(params, samples_of(folder), SPEC)


def test_labels_of_another_set_are_refused(tmp_path: Path):
    params = stored_params()
    folder = write_stored(tmp_path, params)
    wide = LabelSet("wide", (*LIP.part_names, "belt"))
    with pytest.raises(ParamsError, match=r"labels are in label_set lip, train\.label_set is wide\."):
        training_data(params, ParsingSamples([folder], wide, LIP16), SPEC)
    with pytest.raises(ParamsError, match=r"labels are in keypoint_set lip16, train\.keypoint_set is coco17\."):
        training_data(params, ParsingSamples([folder], LIP, KEYPOINT_SETS["coco17"]), SPEC)


def test_what_is_not_there_is_named(tmp_path: Path):
    params = stored_params()
    plain = write_shards(tmp_path / "a", [make_sample(0, hw=SIZE)])
    with pytest.raises(DataError, match=r"does not tell how its edges were made\. Run `hpp shard` again"):
        training_data(params, samples_of(plain), SPEC)
    folder = write_stored(tmp_path, params)
    data = training_data(params, samples_of(folder), SPEC)
    (tmp_path / "heatmaps/toy/train/heatmaps-00000.npz").unlink()
    with pytest.raises(DataError, match=r"heatmaps-00000\.npz: not a whole npz shard"):
        data[[(0, 0)]]
    place = plain.rename(tmp_path / "shards" / "toy" / "bare")
    described = Manifest.read(folder)
    replace(Manifest.read(place), parameters=described.parameters, links=described.links).write(place)
    with pytest.raises(DataError, match=r"sample train\.0_a\.b has no stored edges"):
        training_data(params, samples_of(place), SPEC)[[(0, 0)]]
