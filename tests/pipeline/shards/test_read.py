import os
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import DataError
from pipeline.rows import IMAGE_SCHEMA, SAMPLE_SCHEMA, image_row, sample_row
from pipeline.shards import open_shards
from pipeline.shards.manifest import MANIFEST_NAME, sha256_of
from pipeline.shards.read import iter_rows, read_rows
from pipeline.shards.write import npz_bytes, parquet_bytes
from tests import builders
from tests.trainer.builders import make_sample


def write_images(folder, counts=(5, 0, 3), row_group=2):
    shards, number = [], 0
    for count in counts:
        rows = [image_row(builders.record(f"r{number + i}")) for i in range(count)]
        shards.append(parquet_bytes(rows, IMAGE_SCHEMA, row_group))
        number += count
    return builders.write_split(folder, shards, counts)


def write_samples(root, counts=(3, 2)):
    """data/shards/toy/train and data/heatmaps/toy/train, as the stages lay them."""
    samples = [[make_sample(10 * shard + i) for i in range(count)] for shard, count in enumerate(counts)]
    maps = [{s.sample_id: np.full((2, 3, 4), 10 * n + i, np.float16) for i, s in enumerate(part)} for n, part in enumerate(samples)]  # fmt: skip
    heatmaps = builders.write_split(
        root / "heatmaps/toy/train", [npz_bytes(part.items(), True) for part in maps], counts, kind="heatmaps"
    )
    link = {"path": "../../../heatmaps/toy/train", "sha256": sha256_of(heatmaps / MANIFEST_NAME)}
    data = [parquet_bytes([sample_row(sample) for sample in part], SAMPLE_SCHEMA, 2) for part in samples]
    folder = builders.write_split(root / "shards/toy/train", data, counts, kind="samples", links={"heatmaps": link})
    return folder, heatmaps


def test_indexing_equals_iteration(tmp_path):
    shards = open_shards(write_images(tmp_path))
    names = [f"r{i}" for i in range(8)]
    assert len(shards) == 8
    assert [record.sample_id for record in shards] == names
    assert [shards[i].sample_id for i in range(8)] == names
    assert [shards[i - 8].sample_id for i in range(8)] == names
    assert shards[np.int64(6)].sample_id == "r6"
    # In any order, and over and over.
    assert [shards[i].sample_id for i in (7, 0, 4, 4, 1)] == ["r7", "r0", "r4", "r4", "r1"]


@pytest.mark.parametrize("index", [8, -9, 100])
def test_an_index_outside_is_an_index_error(tmp_path, index):
    with pytest.raises(IndexError, match=f"record {index} of 8"):
        open_shards(write_images(tmp_path))[index]


def test_an_empty_split_has_no_records(tmp_path):
    shards = open_shards(builders.write_split(tmp_path, [], []))
    assert len(shards) == 0 and list(shards) == []
    with pytest.raises(IndexError):
        shards[0]


def test_shards_can_be_pickled_in_use(tmp_path):
    shards = open_shards(write_images(tmp_path))
    assert shards[0].sample_id == "r0"
    copy = pickle.loads(pickle.dumps(shards))
    assert [record.sample_id for record in copy] == [record.sample_id for record in shards]


def test_rows_of_other_kinds_come_as_they_are(tmp_path):
    rows = [image_row(builders.record("r0"))]
    folder = builders.write_split(tmp_path, [parquet_bytes(rows, IMAGE_SCHEMA, 2)], [1], kind="edges")
    assert open_shards(folder)[0]["sample_id"] == "r0"


def test_heatmaps_belong_to_the_sample_of_their_index(tmp_path):
    shards = open_shards(write_samples(tmp_path)[0])
    values = [shards.heatmaps(i)[0, 0, 0] for i in range(5)]
    assert values == [0, 1, 2, 10, 11]
    assert shards.heatmaps(-1)[0, 0, 0] == 11 and shards.heatmaps(0).shape == (2, 3, 4)
    with pytest.raises(IndexError):
        shards.heatmaps(5)


def test_a_forked_worker_reads_the_right_heatmaps(tmp_path):
    shards = open_shards(write_samples(tmp_path)[0])
    expected = shards.heatmaps(0)
    _, opened = shards._npz(0, os.getpid())
    place = opened.fid.tell() if opened.fid else opened.zip.fp.tell()
    child = os.fork()
    if child == 0:
        os._exit(
            0 if np.array_equal(shards.heatmaps(0), expected) and shards._npz(0, os.getpid())[1] is not opened else 1
        )
    assert os.waitpid(child, 0)[1] == 0
    assert (opened.fid.tell() if opened.fid else opened.zip.fp.tell()) == place


def test_a_split_without_heatmaps_says_so(tmp_path):
    with pytest.raises(DataError, match="its manifest points at no heatmaps"):
        open_shards(write_images(tmp_path)).heatmaps(0)


def test_heatmaps_of_another_run_are_refused(tmp_path):
    folder, heatmaps = write_samples(tmp_path)
    with (heatmaps / MANIFEST_NAME).open("a") as file:
        file.write(" ")
    with pytest.raises(DataError, match=r"are not those that .* was made with\. Run `hpp shard` again"):
        open_shards(folder).heatmaps(0)


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "flipped", "other"])
def test_damaged_heatmaps_are_named(tmp_path, damage):
    folder, heatmaps = write_samples(tmp_path)
    path = heatmaps / "part-00000.npz"
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        path.write_bytes(npz_bytes([("other", np.zeros(3))], False))
    else:
        data[60:64] = b"\xff\xff\xff\xff"
        path.write_bytes({"cut": bytes(data[: len(data) // 2]), "empty": b"", "flipped": bytes(data)}[damage])
    with pytest.raises(DataError, match=r"part-00000\.npz: .*Run `hpp heatmaps` again"):
        open_shards(folder).heatmaps(0)


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "garbage"])
def test_a_damaged_shard_is_named(tmp_path, damage):
    folder = write_images(tmp_path)
    path = folder / "part-00002.parquet"
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"cut": data[: len(data) // 2], "empty": b"", "garbage": b"PAR1" + b"x" * 99}[damage])
    shards = open_shards(folder)
    assert shards[4].sample_id == "r4"
    with pytest.raises(DataError, match=r"part-00002\.parquet: not a whole parquet shard .*again"):
        shards[5]
    with pytest.raises(DataError, match=r"part-00002\.parquet: not a whole parquet shard .*again"):
        read_rows(path)


def test_rows_are_read_a_row_group_at_a_time(tmp_path, monkeypatch):
    path = write_images(tmp_path) / "part-00000.parquet"
    groups = []
    read = pq.ParquetFile.read_row_group
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_group", lambda file, group, **kw: groups.append(group) or read(file, group, **kw)
    )
    seen = [(row["sample_id"], len(groups)) for row in iter_rows(path, ["sample_id"])]
    assert seen == [("r0", 1), ("r1", 1), ("r2", 2), ("r3", 2), ("r4", 3)]
    assert read_rows(path) == pq.read_table(path).to_pylist()


def test_a_field_of_a_struct_is_read_alone_and_a_missing_column_is_named(tmp_path):
    path = write_images(tmp_path) / "part-00002.parquet"
    assert read_rows(path, ["image.path", "width"])[0] == {"image": {"path": "toy.zip!/r5.png"}, "width": 8}
    with pytest.raises(DataError, match=r"part-00002\.parquet: has no column 'edge'"):
        read_rows(path, ["sample_id", "edge"])


def test_damage_inside_a_row_group_is_named(tmp_path):
    folder = write_images(tmp_path)
    path = folder / "part-00000.parquet"
    data = bytearray(path.read_bytes())
    data[4:2000] = bytes(len(data[4:2000]))
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"part-00000\.parquet: row group 0 is damaged"):
        open_shards(folder)[0]


def test_a_shard_of_another_length_than_the_manifest_says_is_named(tmp_path):
    folder = write_images(tmp_path, counts=(2,))
    (folder / "part-00000.parquet").write_bytes(parquet_bytes([image_row(builders.record())], IMAGE_SCHEMA, 2))
    with pytest.raises(DataError, match=r"part-00000\.parquet: 1 records, the manifest says 2"):
        open_shards(folder)[0]


def test_a_flipped_bit_anywhere_in_a_shard_is_told_by_name_or_changes_nothing(tmp_path):
    schema = pa.schema([("sample_id", pa.string()), ("data", pa.binary())])
    random = np.random.default_rng(5)
    whole = parquet_bytes([{"sample_id": str(i), "data": random.bytes(300)} for i in range(30)], schema, 10)
    path = tmp_path / "part-00000.parquet"
    path.write_bytes(whole)
    rows, told = read_rows(path), 0
    for place in random.integers(0, len(whole), 200):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        try:
            assert read_rows(path) == rows
        except DataError as error:
            assert str(path) in str(error)
            told += 1
    assert told > 180
