"""Which sample comes when."""

import pickle
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from tests.trainer.teachers.conftest import write_scenes
from trainer.teachers import source
from trainer.teachers.batches import SampleOrder, drawn_batches
from trainer.teachers.source import read_block, read_people, source_hash


@pytest.mark.parametrize("block", [1, 3])
def test_every_epoch_holds_every_sample_once_in_its_own_order(block):
    draw = SampleOrder(seed=5, count=4, block=block)
    epochs = [[draw(4 * epoch + place)[0] for place in range(4)] for epoch in range(6)]
    assert all(sorted(epoch) == [0, 1, 2, 3] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1
    assert draw(9)[1].random() == pickle.loads(pickle.dumps(draw))(9)[1].random()
    assert draw(1)[1].random() != draw(2)[1].random()


def test_samples_of_a_large_set_come_near_their_neighbours():
    order = SampleOrder(seed=1, count=20_000, block=20)
    places = np.array([order(position)[0] for position in range(20_000)])
    for start in range(0, 20_000, 500):
        assert len(np.unique(places[start : start + 500] // 20)) <= 2 * 26  # of 1,000 row groups; 25 would be the least
    assert np.abs(np.diff(places[:500])).mean() > 1000  # yet mixed


@dataclass(frozen=True)
class _Squares:
    order: SampleOrder

    def __call__(self, position):
        index, rng = self.order(position)
        return position, index, rng.random()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_those_of_one_process(workers):
    draw = _Squares(SampleOrder(seed=2, count=5))
    state = torch.get_rng_state()
    batches = list(drawn_batches(draw, list, first=2, steps=5, batch_size=3, workers=workers))
    assert batches == [[draw(position) for position in range(3 * step, 3 * step + 3)] for step in (2, 3, 4)]
    assert torch.equal(torch.get_rng_state(), state)


def test_a_set_that_stays_in_memory_has_a_free_order(scenes, tmp_path, monkeypatch):
    shards = write_scenes(tmp_path / "shards", scenes)  # three row groups of two
    assert (read_block(scenes), read_block(shards)) == (1, 1)
    monkeypatch.setattr(source, "GROUPS_KEPT", 2)
    assert read_block(shards) == 2


def test_people_are_read_without_their_images(scenes, tmp_path):
    shards = write_scenes(tmp_path / "shards", scenes)
    for ours, record in zip(read_people(shards), scenes, strict=True):
        np.testing.assert_array_equal(ours.boxes, record.people.boxes)
        np.testing.assert_array_equal(ours.keypoints, record.people.keypoints)
        assert ours.rles == record.people.rles
    assert set(next(shards.rows(["persons"]))) == {"persons"}


def test_another_image_or_person_is_another_source(scenes, tmp_path):
    import dataclasses

    moved = dataclasses.replace(
        scenes[0], people=dataclasses.replace(scenes[0].people, boxes=scenes[0].people.boxes + 1)
    )
    other = dataclasses.replace(scenes[0], image=scenes[1].image)
    hashes = {source_hash([record, *scenes[1:]]) for record in (scenes[0], moved, other)}
    hashes |= {
        source_hash(write_scenes(tmp_path / name, records)) for name, records in (("a", scenes), ("b", scenes[::-1]))
    }
    assert len(hashes) == 5
