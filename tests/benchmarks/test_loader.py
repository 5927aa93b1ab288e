"""The plain way that the loader is compared with makes the same samples; the figures are what they are called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import default_collate

from tests.benchmarks.loading import load_script
from trainer.data.targets import make_targets

load_script("per_sample_labels")
loader = load_script("loader")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> tuple[Path, list]:
    folder = tmp_path_factory.mktemp("drawn") / "set"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "SCENES", 2)
        return folder, loader.write_set(folder, 6)


def test_both_ways_make_the_same_samples(drawn):
    folder, samples = drawn
    keys = [(epoch, index) for epoch in (0, 1) for index in range(6)]
    project = loader.project_data(folder)[keys]
    plain = loader.plain_data(samples)
    images, masks, heatmaps, edges = default_collate([plain[key] for key in keys])
    assert [tensor.dtype for tensor in (images, heatmaps, edges)] == [getattr(loader.torch, n) for n in
        ("float32", "float64", "float64")]  # fmt: skip
    mirrored = [loader.draw(loader.SEED, e, f"drawn/{samples[i].sample_id}").flip < 0.5 for e, i in keys]
    assert any(mirrored) and not all(mirrored)
    targets = make_targets(project, 3, loader.HEATMAPS)
    assert (masks.numpy() != project.masks.numpy()).mean() < 1e-5
    np.testing.assert_allclose(loader.SPEC.normalize(project.images), images, atol=0.1)
    assert abs(loader.SPEC.normalize(project.images) - images).mean() < 1e-4
    same = [number for number in range(len(keys)) if (masks[number] == targets.parsing[number]).all()]
    assert len(same) > 6
    assert (edges[same] == targets.edges[same]).all() and edges.any()
    np.testing.assert_allclose(heatmaps, targets.heatmaps, atol=1e-6)
    assert heatmaps.amax() == 1


def test_a_set_has_lips_sizes_and_is_read_as_it_was_drawn(drawn):
    folder, samples = drawn
    shards = loader.project_data(folder).samples
    assert [shards[index].sample_id for index in range(6)] == [sample.sample_id for sample in samples]
    facts = loader.facts(samples)
    assert facts["samples"] == 6 and 2 < facts["JPEG bits/px"] < 5
    assert all(152 <= one.height <= 500 and 82 <= one.width <= 497 for one in samples)


def test_figures_are_shares_of_the_best_times_and_ratios_of_the_rates():
    times = {"floor": {"best": 2.0}, "project": {"best": 2.5}, "plain": {"best": 8.0}}
    figures = loader.figures(times, {"project": [100.0, 90.0, 300.0], "plain": [25.0, 30.0, 50.0]})
    assert figures["project, samples/s and core"] == 400
    assert figures["project, share of the floor"] == 0.8 and figures["plain, share of the floor"] == 0.25
    assert figures["project over plain, two workers"] == 4


def test_every_way_is_timed(drawn):
    times = loader.time_batches(drawn[0], drawn[1], rounds=1)
    assert set(times) == {"floor", "project", "plain", "reading alone", "targets on the CPU"}
    assert all(0 < one["best"] <= one["median"] for one in times.values())
