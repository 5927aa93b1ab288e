"""Loading: order, label sets, and equality for any number of workers."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from pipeline.errors import DataError, ParamsError, WorkerDied
from pipeline.images import encode_png
from pipeline.params import Augment
from pipeline.taxonomy import KEYPOINT_SETS, LABEL_SETS, LabelSet
from tests.trainer.builders import make_params, make_sample, write_shards, write_toy_set
from trainer.data import worker_memory
from trainer.data.augment import change_colours, draw, draw_placement, warp_image, warp_keypoints, warp_mask
from trainer.data.batch import Batch
from trainer.data.epoch_batches import EpochBatches
from trainer.data.loading import JudgedData, judged_loader
from trainer.data.order import local_order
from trainer.data.samples import ParsingSamples
from trainer.data.training_data import TrainingData, training_loader
from trainer.data.worker_errors import plain_worker_errors
from trainer.input_spec import input_spec

LIP, LIP16 = LABEL_SETS["lip"], KEYPOINT_SETS["lip16"]
SPEC = input_spec("official", (48, 32))


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    return write_toy_set(tmp_path_factory.mktemp("toy"))


COLOURFUL = Augment(translate_px=5, brightness=0.3, contrast=0.3, saturation=0.3)


def loader_of(folder: Path, workers: int):
    samples = ParsingSamples([folder], LIP, LIP16)
    batches = EpochBatches(len(samples), 4, seed=1)
    return training_loader(TrainingData(samples, SPEC, COLOURFUL, seed=1), batches, workers, pin=False), batches


def epochs_of(folder: Path, workers: int):
    loader, batches = loader_of(folder, workers)
    for batches.epoch in (0, 1):
        yield from loader


def equal(one: Batch, other: Batch) -> bool:
    return all(a is b is None or torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_batches_are_equal_for_any_number_of_workers(toy):
    alone = list(epochs_of(toy / "toy" / "train", 0))
    assert len(alone) == 2 * 3
    assert alone[0].images.dtype == alone[0].masks.dtype == torch.uint8
    assert alone[0].images.shape == (4, 48, 32, 3)
    assert not any(equal(alone[0], other) for other in alone[1:])
    assert len(alone[2].images) == 3
    for workers in (1, 2):
        for one, other in zip(alone, epochs_of(toy / "toy" / "train", workers), strict=True):
            assert equal(one, other)


def test_batches_hold_what_the_functions_make_of_each_sample(toy):
    samples = ParsingSamples([toy / "toy" / "train"], LIP, LIP16)
    data = TrainingData(samples, SPEC, COLOURFUL, seed=1)
    batch = data[[(7, 3), (2, 9)]]
    for row, (epoch, index) in enumerate([(7, 3), (2, 9)]):
        sample = samples[index]
        draws = draw(1, epoch, f"toy/{sample.sample_id}")
        placement = draw_placement((sample.height, sample.width), SPEC.size, COLOURFUL, draws)
        image = change_colours(sample.decode_image(), COLOURFUL, draws)
        assert (batch.images[row].numpy() == warp_image(image, placement, SPEC.fill)).all()
        assert (batch.masks[row].numpy() == warp_mask(sample.decode_mask(), placement, LIP)).all()
        assert (batch.keypoints[row].numpy() == warp_keypoints(sample.keypoints[None], [placement], LIP16, SPEC.size)[0]).all()


def test_a_batch_stays_as_it_is_when_later_ones_come(toy):
    loader, batches = loader_of(toy / "toy" / "train", 1)
    kept, copies = [], []
    for batches.epoch in range(6):  # more batches than the workers' memory has places
        for batch in loader:
            kept.append(batch)
            copies.append(batch.map(torch.Tensor.clone))
    assert all(equal(one, other) for one, other in zip(kept, copies, strict=True))


def test_an_epoch_that_was_left_early_leaves_nothing_to_the_next(toy):
    loader, batches = loader_of(toy / "toy" / "train", 2)
    first = next(iter(loader))
    batches.epoch = 1
    again = list(loader)
    assert len(loader) == len(again) == 3
    expected = list(epochs_of(toy / "toy" / "train", 0))
    assert equal(first, expected[0])
    assert all(equal(one, other) for one, other in zip(again, expected[3:], strict=True))


def test_too_little_shared_memory_is_told_before_it_is_taken(toy, monkeypatch):
    monkeypatch.setattr(worker_memory, "SHARED_MEMORY", toy)
    # 5 places of 4 samples: 48 x 32 pixels in 3 colours and a mask, and 16 joints
    needed = 5 * 4 * (48 * 32 * 4 + 16 * 3 * 4)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=needed))
    loader_of(toy / "toy" / "train", 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=needed - 1))
    with pytest.raises(ParamsError, match=r"^executor\.loader_workers: batches .* 0 MiB of shared memory, .* Enlarge it"):
        loader_of(toy / "toy" / "train", 2)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_is_wrong_with_a_sample_is_told_in_one_line_from_a_worker_too(tmp_path: Path, workers):
    write_shards(tmp_path / "a", [make_sample(number, masked=number != 2) for number in range(4)])
    loader, _ = loader_of(tmp_path / "a", workers)
    with pytest.raises(DataError, match=r"^toy/train: sample train\.2_a\.b has no part mask to learn from$"):
        list(loader)


@pytest.mark.parametrize(("count", "block"), [(7, 3), (1000, 20), (5000, 50), (600, 1)])
def test_order_is_random_yet_reads_few_blocks_at_a_time(count, block):
    order = local_order(np.random.default_rng(0), count, block)
    assert sorted(order) == list(range(count))
    assert len({index // block for index in order[:500]}) <= max(16, 512 // block)
    if count > 100:
        assert len({index // block for index in order[:8]}) > 4


def test_several_folders_are_one_set_in_one_label_set(tmp_path: Path):
    atr = make_sample(0)
    write_shards(tmp_path / "a", [make_sample(1), make_sample(2)])
    write_shards(tmp_path / "b", [atr], label_set="atr", keypoint_set="coco17")
    wide = LabelSet("wide", (*LIP.part_names, "belt", "bag"))
    samples = ParsingSamples([tmp_path / "a", tmp_path / "b"], wide, LIP16)
    assert len(samples) == 3
    assert (samples.mask(0, samples[0]) == samples[0].decode_mask()).all()
    stored = atr.decode_mask()
    mapped = samples.mask(2, samples[2])
    assert (mapped[stored == 13] == wide.id("right-leg")).all()
    assert (mapped[stored == 16] == wide.id("bag")).all()


def test_named_maps_and_ones_own_give_classes_their_place(tmp_path: Path):
    stored = np.where(make_sample(0).decode_mask() == 0, 10, 13).astype(np.uint8)
    sample = replace(make_sample(0), mask=encode_png(stored))
    write_shards(tmp_path / "cihp", [sample], label_set="cihp")
    for maps, place in (({}, 255), ({"cihp": {"torso-skin": "upper-clothes"}}, 5), ({"lip": {"hat": "ignore"}}, 255)):
        mapped = ParsingSamples([tmp_path / "cihp"], LIP, LIP16, maps).mask(0, sample)
        assert (mapped[stored == 10] == place).all() and (mapped[stored == 13] == 13).all()


def every_class(label_set: str, count: int, keypoint_set: str):
    """A sample that holds every class of a set, and 255, in a mask of one row; its joint k lies at k + 1, 2."""
    row = np.append(np.arange(count, dtype=np.uint8), np.uint8(255))[None]
    places = np.arange(len(KEYPOINT_SETS[keypoint_set]))
    joints = np.column_stack([places + 1, places * 0 + 2, places * 0 + 2]).astype(np.float32)
    sample = replace(make_sample(0), mask=encode_png(row), image=encode_png(np.zeros((1, count + 1, 3), np.uint8)))
    return replace(sample, width=count + 1, height=1, keypoints=joints, sample_id=label_set, dataset=label_set), row


def test_data_sets_of_several_label_and_keypoint_sets_are_mapped_by_the_loader(tmp_path: Path):
    told = {"lip": (20, "lip16"), "cihp": (20, "coco17"), "atr": (18, "pascal14")}
    stored = {name: every_class(name, *what) for name, what in told.items()}
    for name, (sample, _) in stored.items():
        write_shards(tmp_path / name, [sample], label_set=name, keypoint_set=told[name][1])
    tables = {  # by hand, as in tests/pipeline/test_label_maps.py
        "lip": [*range(20)],
        "cihp": [*range(10), 255, *range(11, 20)],
        "atr": [0, 1, 2, 4, 5, 12, 9, 6, 255, 18, 19, 13, 16, 17, 14, 15, 255, 11],
    }
    samples = ParsingSamples([tmp_path / name for name in told], LIP, LIP16)
    assert len(samples) == 3
    for index, name in enumerate(told):
        sample = samples[index]
        assert samples.mask(index, sample)[0].tolist() == [*tables[name], 255], name
        assert np.array_equal(sample.decode_mask(), stored[name][1])  # the shard keeps its own ids
    ankles = [samples.keypoints(index, samples[index])[0].tolist() for index in range(3)]
    assert ankles == [[1, 2, 2], [17, 2, 2], [14, 2, 2]]  # joint 0 of LIP, 16 of COCO, 13 of PASCAL: the right ankle
    assert not samples.keypoints(1, samples[1])[6:10].any()


def test_ids_that_no_class_has_are_ignored(tmp_path: Path):
    row = np.array([[0, 19, 20, 254, 255]], np.uint8)
    sample = replace(make_sample(0), mask=encode_png(row))
    write_shards(tmp_path / "a", [sample])
    assert ParsingSamples([tmp_path / "a"], LIP, LIP16).mask(0, sample).tolist() == [[0, 19, 255, 255, 255]]


def test_a_batch_of_several_sets_is_mirrored_in_the_sets_that_are_learnt(tmp_path: Path):
    told = {"lip": (20, "lip16"), "cihp": (20, "coco17"), "atr": (18, "pascal14")}
    for name, (count, joints) in told.items():
        sample, _ = every_class(name, count, joints)
        # Of one size, so that nothing is resampled.
        row = np.full((1, 21), 255, np.uint8)
        row[0, : count] = np.arange(count)
        within = sample.keypoints * np.float32([1, 0, 1])
        sample = replace(sample, mask=encode_png(row), image=encode_png(np.zeros((1, 21, 3), np.uint8)), width=21)
        sample = replace(sample, keypoints=within)
        write_shards(tmp_path / name, [sample], label_set=name, keypoint_set=joints)
    samples = ParsingSamples([tmp_path / name for name in told], LIP, LIP16)
    mirror = Augment(flip=1, rotate_share=0, scale=(1, 1))
    batch = TrainingData(samples, input_spec("official", (1, 21)), mirror, seed=0)[[(0, 0), (0, 1), (0, 2)]]
    # Each set's ids in LIP's, by hand; left (14, 16, 18) and right (15, 17, 19) then exchanged, and read from the right.
    tables = {
        "lip": [*range(14), 15, 14, 17, 16, 19, 18],
        "cihp": [*range(10), 255, *range(11, 14), 15, 14, 17, 16, 19, 18],
        "atr": [0, 1, 2, 4, 5, 12, 9, 6, 255, 19, 18, 13, 17, 16, 15, 14, 255, 11],
    }
    for row, name in enumerate(told):
        expected = [*tables[name], *[255] * (21 - len(tables[name]))]
        assert batch.masks[row, 0].tolist() == expected[::-1], name
    # The left ankle is the mirrored right one: joint 0 of LIP, 16 of COCO, 13 of PASCAL, stored at 1, 17 and 14.
    left_ankle = LIP16.keypoint_names.index("left-ankle")
    assert batch.keypoints[:, left_ankle, 0].tolist() == [20 - 1, 20 - 17, 20 - 14]


def test_equal_names_in_two_sets_draw_apart(tmp_path: Path):
    for name in "ab":
        write_shards(tmp_path / name, [replace(make_sample(0), dataset=name)])
    samples = ParsingSamples([tmp_path / name for name in "ab"], LIP, LIP16)
    one, other = TrainingData(samples, SPEC, COLOURFUL, seed=1)[[(0, 0), (0, 1)]].images
    assert not torch.equal(one, other)


def test_a_map_from_a_file_gives_classes_their_place(tmp_path: Path):
    (tmp_path / "map.yaml").write_text("torso-skin: upper-clothes\n")
    settings = make_params(label_maps={"cihp": str(tmp_path / "map.yaml")}).train
    sample, _ = every_class("cihp", 20, "coco17")
    write_shards(tmp_path / "cihp", [sample], label_set="cihp", keypoint_set="coco17")
    samples = ParsingSamples([tmp_path / "cihp"], LIP, LIP16, settings.label_maps)
    assert samples.mask(0, samples[0])[0, 10] == LIP.id("upper-clothes")


def test_label_set_without_a_class_is_the_users_to_mend(toy):
    with pytest.raises(
        ParamsError, match=r"train\.label_set: .*train: label set 'lip': class 'glove' has no place in 'atr'"
    ):
        ParsingSamples([toy / "toy" / "train"], LABEL_SETS["atr"], LIP16)


def test_missing_labels_are_named(tmp_path: Path):
    write_shards(tmp_path / "a", [make_sample(0, masked=False, keypoints=False)])
    samples = ParsingSamples([tmp_path / "a"], LIP, LIP16)
    with pytest.raises(DataError, match=r"toy/train: sample train\.0_a\.b has no part mask"):
        samples.mask(0, samples[0])
    assert not samples.keypoints(0, samples[0]).any()


def test_judged_items_keep_the_crops_size_and_the_way_back(toy):
    samples = ParsingSamples([toy / "toy" / "val"], LIP, LIP16)
    items = [item for batch in judged_loader(JudgedData(samples, SPEC, (1.0, 0.5)), 3, 0) for item in batch]
    assert [item.sample_id for item in items] == [samples[index].sample_id for index in range(4)]
    assert [image.shape for image in items[1].images] == [(48, 32, 3), (24, 16, 3)]
    assert items[1].mask.shape == (40, 40)
    corner = items[1].to_input[0] @ [-0.5, -0.5, 1]  # a square crop in the middle of an upright input
    np.testing.assert_allclose(corner, [-0.5, 7.5])


class Deadly(torch.utils.data.Dataset):
    """Items at the second of which their worker is killed."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> int:
        if index == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return index


def test_a_loaders_worker_that_is_killed_is_told_in_one_line():
    with pytest.raises(WorkerDied, match=r"a loader's worker process was killed.*Run the command again"):
        with plain_worker_errors():
            list(judged_loader(Deadly(), 1, 1))
    with pytest.raises(RuntimeError, match="another"), plain_worker_errors():
        raise RuntimeError("another")


def test_official_feeding_is_bgr_with_the_mean_in_rgb_order():
    red = torch.tensor([255, 0, 0], dtype=torch.uint8).expand(1, 2, 2, 3)
    fed = SPEC.normalize(red)[0, :, 0, 0]
    assert fed.tolist() == pytest.approx([(0 - 0.485) / 0.229, (0 - 0.456) / 0.224, (1 - 0.406) / 0.225])
    fill = torch.tensor(SPEC.fill, dtype=torch.uint8).expand(1, 2, 2, 3)
    assert SPEC.normalize(fill).abs().max() < 0.01
    assert input_spec("paper", (8, 8)).normalize(red)[0, 0, 0, 0] == pytest.approx((1 - 0.485) / 0.229)
