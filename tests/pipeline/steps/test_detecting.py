"""What a detector is asked, counted: a fake one that finds bright blocks."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.execution import LocalPool
from pipeline.records import People
from pipeline.rle import encode_rle
from pipeline.rows import IMAGE_SCHEMA, image_row, sample_from_row
from pipeline.shards.manifest import Manifest
from pipeline.shards.raw_outputs import MOST_IMAGES
from pipeline.shards.step import run_step
from pipeline.shards.write import parquet_bytes
from pipeline.steps.crop import Selection, found_step
from pipeline.steps.cutting import CutRules
from pipeline.steps.detecting import RawPeople
from pipeline.steps.inputs import stage_inputs
from tests import builders

RULES = CutRules(others="black", others_label=0, min_area=0, expand=0.2)
HEIGHT, WIDTH = 24, 40


class BlockDetector:
    """Every bright block is a person, the left one surest; counts calls and images."""

    def __init__(self, teacher_id="blocks-1"):
        self.teacher_id = teacher_id
        self.halvings = 0
        self.calls = []

    def detect_many(self, images):
        self.calls.append(len(images))
        return [self._people(image) for image in images]

    def _people(self, image):
        _, areas = cv2.connectedComponents((image.min(axis=2) > 200).astype(np.uint8))
        rles = [encode_rle(areas == value) for value in range(1, areas.max() + 1)]
        base = People.from_id_map(areas.astype(np.uint8))
        order = np.argsort(base.boxes[:, 0], kind="stable")
        scores = [0.9 - 0.3 * place for place in range(len(order))]
        return People.build(
            range(1, len(order) + 1), base.boxes[order], scores=scores, rles=[rles[row] for row in order]
        )

    @property
    def asked(self):
        return sum(self.calls)


def scene(number, blocks=2):
    """An image with bright blocks whose place depends on the number; nobody is annotated."""
    image = np.full((HEIGHT, WIDTH, 3), number % 150, np.uint8)
    for block in range(blocks):
        image[2 + number % 7 : 14 + number % 7, 3 + 18 * block : 14 + 18 * block] = 220
    return builders.record(f"im_{number:03d}", image)


def crop(folder, records, detector, *, score=0.5, mask_nms=0.5, per_shard=4):
    """Runs the step over the records; shard name -> bytes, and the reports."""
    shards = [records[start : start + per_shard] for start in range(0, len(records), per_shard)]
    data = [parquet_bytes([image_row(one) for one in shard], IMAGE_SCHEMA, 2) for shard in shards]
    builders.write_split(folder / "ingest/train", data, [len(shard) for shard in shards])
    step = found_step(RULES, Selection(score, mask_nms), RawPeople(detector, folder / "scratch"), 2)
    reports = run_step(
        step, stage_inputs([folder / "ingest"], ["train"]), lambda split, entries: builders.manifest(entries),
        ["train"], folder / "out", folder / "scratch", engine=LocalPool(2), max_rejects=0, limit_key="x", progress=lambda n: None,
    )  # fmt: skip
    return {path.name: path.read_bytes() for path in (folder / "out/train").glob("*.parquet")}, reports["train"]


def samples(shards):
    return [
        sample_from_row(row) for name in sorted(shards) for row in pq.read_table(io.BytesIO(shards[name])).to_pylist()
    ]


def raw_files(folder):
    return sorted((folder / "scratch/raw").rglob("*.parquet"))


RECORDS = [scene(number) for number in range(10)]


def test_another_score_or_overlap_runs_no_network(tmp_path):
    detector = BlockDetector()
    first, report = crop(tmp_path, RECORDS, detector)
    assert detector.asked == 10 and report.records == 20
    again = BlockDetector()
    strict, report = crop(tmp_path, RECORDS, again, score=0.7)
    assert again.calls == [] and report.records == 10
    assert [sample.sample_id for sample in samples(strict)] == [f"im_{number:03d}_1" for number in range(10)]
    none, report = crop(tmp_path, RECORDS, again, score=0.7, mask_nms=0.1)
    assert again.calls == [] and samples(none) and report.records == 10
    # Kept answers give the bytes that fresh ones gave.
    for path in (tmp_path / "scratch/crop").iterdir():
        path.unlink()
    assert crop(tmp_path, RECORDS, again)[0] == first and again.calls == []


def test_an_appended_image_is_one_call_and_the_other_shards_stay(tmp_path):
    before, _ = crop(tmp_path, RECORDS, BlockDetector())
    detector = BlockDetector()
    after, _ = crop(tmp_path, [*RECORDS, scene(10)], detector)
    assert detector.calls == [1]
    assert [name for name in before if before[name] != after[name]] == ["part-00002.parquet"]


def test_an_image_put_first_moves_every_shard_and_is_one_call(tmp_path):
    before, _ = crop(tmp_path, RECORDS, BlockDetector())
    detector = BlockDetector()
    after, _ = crop(tmp_path, [scene(99), *RECORDS], detector)
    assert detector.calls == [1]
    assert [sample.image for sample in samples(after)][2:] == [sample.image for sample in samples(before)]
    # And again, over files that hold parts of shards.
    detector = BlockDetector()
    crop(tmp_path, [scene(98), scene(99), *RECORDS], detector, per_shard=5)
    assert detector.calls == [1] and len(raw_files(tmp_path)) == 5


def test_another_teacher_is_asked_everything(tmp_path):
    crop(tmp_path, RECORDS, BlockDetector())
    other = BlockDetector("blocks-2")
    crop(tmp_path, RECORDS, other)
    assert other.asked == 10
    first = BlockDetector()
    crop(tmp_path, RECORDS, first, score=0.6)
    assert first.calls == []


def test_pixels_are_the_key_not_the_file_or_its_name(tmp_path):
    crop(tmp_path, RECORDS[:2], BlockDetector())
    pixels = RECORDS[0].decode_image()
    renamed = builders.record("renamed", pixels)
    detector = BlockDetector()
    found, _ = crop(tmp_path, [renamed], detector)
    assert detector.calls == [] and samples(found)[0].sample_id == "renamed_1"
    pixels[0, 0, 0] ^= 1
    crop(tmp_path, [builders.record("renamed", pixels)], detector)
    assert detector.calls == [1]


def test_a_shape_of_other_sides_is_another_image(tmp_path):
    black = np.zeros((6, 8, 3), np.uint8)
    detector = BlockDetector()
    crop(tmp_path, [builders.record("a", black), builders.record("b", black.reshape(8, 6, 3))], detector)
    assert detector.asked == 2


def test_equal_images_are_asked_once_and_batches_are_bounded(tmp_path):
    records = [builders.record(f"copy{number}", RECORDS[0].decode_image()) for number in range(3)]
    detector = BlockDetector()
    _, report = crop(tmp_path, records, detector)
    assert detector.calls == [1] and report.records == 6
    crop(tmp_path / "more", [scene(number) for number in range(20)], detector, per_shard=20)
    assert detector.calls == [1, MOST_IMAGES, MOST_IMAGES, 20 - 2 * MOST_IMAGES]


def test_images_of_nobody_are_remembered_too(tmp_path):
    detector = BlockDetector()
    _, report = crop(tmp_path, [scene(1, blocks=0)], detector)
    assert report.records == 0 and report.outcomes[0].reason == "nobody was found"
    crop(tmp_path, [scene(1, blocks=0)], detector, score=0.1)
    assert detector.calls == [1]


def test_kept_people_are_the_found_ones_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(3)
    boxes, scores = rng.uniform(0, 40, (3, 4)), rng.uniform(0, 1, 3)
    masks = [rng.random((HEIGHT, WIDTH)) < 0.4, np.zeros((HEIGHT, WIDTH), bool), np.ones((HEIGHT, WIDTH), bool)]
    people = People.build([1, 2, 3], boxes, scores=scores, rles=[encode_rle(mask) for mask in masks])

    class Random(BlockDetector):
        def _people(self, image):
            return people

    record = scene(0)
    for detector in (Random(), BlockDetector()):  # the second one is not asked
        ((_, image, found),) = RawPeople(detector, tmp_path).of([record])
        assert np.array_equal(found.boxes, people.boxes) and np.array_equal(found.scores, people.scores)
        assert found.rles == people.rles and found.ids.tolist() == [1, 2, 3]
        assert np.array_equal(image, record.decode_image())


def flip_a_byte(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("damage", ["cut", "empty", "nonsense"])
def test_a_damaged_file_is_asked_again_and_mended(tmp_path, damage):
    before, _ = crop(tmp_path, RECORDS, BlockDetector())
    path = raw_files(tmp_path)[0]
    count = pq.read_metadata(path).num_rows
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[:-20], "empty": b"", "nonsense": b"PAR1" * 50}[damage])
    detector = BlockDetector()
    for finished in (tmp_path / "scratch/crop").iterdir():
        finished.unlink()
    assert crop(tmp_path, RECORDS, detector)[0] == before
    assert detector.asked == count and path.read_bytes() == whole


def test_a_flipped_byte_anywhere_never_becomes_a_label(tmp_path):
    before, _ = crop(tmp_path, RECORDS[:4], BlockDetector())
    (path,) = raw_files(tmp_path)
    whole = path.read_bytes()
    for place in range(0, len(whole), 211):
        flip_a_byte(path, place)
        for finished in (tmp_path / "scratch/crop").iterdir():
            finished.unlink()
        detector = BlockDetector()
        assert crop(tmp_path, RECORDS[:4], detector)[0] == before, place
        assert path.read_bytes() == whole
        assert detector.asked == 4


class TightDetector(BlockDetector):
    """Its memory holds one image at a time from the second call on."""

    def detect_many(self, images):
        if self.calls:
            self.halvings += 1
        return super().detect_many(images)


def test_halved_batches_are_said_in_the_manifest_of_their_shard_and_only_there(tmp_path):
    crop(tmp_path, RECORDS, TightDetector())
    said = [f"part-0000{n}.parquet: the GPU ran out of memory and a batch was halved, 1 time(s)" for n in (1, 2)]
    remarks = Manifest.read(tmp_path / "out/train").remarks
    assert [remark.split(": results")[0] for remark in remarks] == said
    # The finished shards still say so when nothing is made anew.
    crop(tmp_path, RECORDS, BlockDetector())
    assert Manifest.read(tmp_path / "out/train").remarks == remarks
    crop(tmp_path / "whole", RECORDS, BlockDetector())
    assert "remarks" not in (tmp_path / "whole/out/train/manifest.json").read_text()


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.pipeline.steps.test_detecting import RECORDS, BlockDetector, crop
class Killed(BlockDetector):
    def detect_many(self, images):
        if len(self.calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().detect_many(images)
crop(Path({folder!r}), RECORDS, Killed())
"""


def test_a_killed_run_keeps_the_shards_that_were_done(tmp_path):
    script = KILLED.format(root=str(Path(__file__).parents[3]), folder=str(tmp_path))
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    detector = BlockDetector()
    # Another limit, so that no finished crop of the first run serves.
    crop(tmp_path, RECORDS, detector, score=0.6)
    assert detector.asked == 2


def test_two_runs_at_once_do_no_harm(tmp_path):
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
        "from pathlib import Path\n"
        "from tests.pipeline.steps.test_detecting import RECORDS, BlockDetector, RawPeople\n"
        f"list(RawPeople(BlockDetector(), Path({str(tmp_path / 'scratch')!r})).of(RECORDS))\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", script], env=os.environ) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    (path,) = raw_files(tmp_path)
    assert pq.read_metadata(path).num_rows == 10
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    detector = BlockDetector()
    crop(tmp_path, RECORDS, detector)
    assert detector.calls == []
