"""Heatmaps: one member per sample; reading one sample touches that member alone."""

import zipfile

import numpy as np
import pytest

from pipeline.errors import DataError
from pipeline.rows import SAMPLE_SCHEMA, sample_row
from pipeline.shards import open_shards
from pipeline.shards.manifest import MANIFEST_NAME, sha256_of
from pipeline.shards.write import npz_bytes, parquet_bytes
from tests import builders
from tests.trainer.builders import make_sample


@pytest.fixture(params=[False, True], ids=["stored", "deflated"])
def split(tmp_path, request):
    """Five samples in one shard, their heatmaps, and the npz file."""
    samples = [make_sample(number) for number in range(5)]
    rng = np.random.default_rng(1)
    maps = {one.sample_id: rng.random((3, 8, 6)).astype(np.float16) for one in samples}
    heatmaps = builders.write_split(
        tmp_path / "heatmaps/toy/train", [npz_bytes(maps.items(), request.param)], [5], kind="heatmaps"
    )
    link = {"path": "../../../heatmaps/toy/train", "sha256": sha256_of(heatmaps / MANIFEST_NAME)}
    data = parquet_bytes([sample_row(one) for one in samples], SAMPLE_SCHEMA, 2)
    folder = builders.write_split(tmp_path / "shards/toy/train", [data], [5], kind="samples", links={"heatmaps": link})
    return folder, heatmaps / "part-00000.npz", list(maps.values())


def test_there_is_one_member_per_sample_with_a_fixed_date(split):
    folder, npz, _ = split
    members = zipfile.ZipFile(npz).infolist()
    assert [member.filename for member in members] == [f"{one.sample_id}.npy" for one in open_shards(folder)]
    assert {member.date_time for member in members} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("wanted", [0, 2, 4])
def test_a_sample_is_read_though_all_other_members_are_damaged(split, wanted):
    folder, npz, maps = split
    data = bytearray(npz.read_bytes())
    for place, member in enumerate(zipfile.ZipFile(npz).infolist()):
        if place != wanted:
            start = member.header_offset + 30 + len(member.filename.encode())
            data[start : start + member.compress_size] = b"\xff" * member.compress_size
    npz.write_bytes(bytes(data))
    shards = open_shards(folder)
    assert np.array_equal(shards.heatmaps(wanted), maps[wanted])
    for other in {0, 2, 4} - {wanted}:
        with pytest.raises(DataError, match=r"part-00000\.npz: .*cannot be read"):
            shards.heatmaps(other)


def test_no_other_member_is_opened(split, monkeypatch):
    folder, _, maps = split
    shards = open_shards(folder)
    opened = []
    plain = zipfile.ZipFile.open

    def watched(self, name, *rest, **options):
        opened.append(getattr(name, "filename", name))
        return plain(self, name, *rest, **options)

    monkeypatch.setattr(zipfile.ZipFile, "open", watched)
    assert np.array_equal(shards.heatmaps(3), maps[3])
    assert set(opened) == {f"{shards[3].sample_id}.npy"}
