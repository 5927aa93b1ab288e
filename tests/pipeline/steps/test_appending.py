"""Images that come to a set make their own shards and no others: keys of shards, before and after."""

from pathlib import Path

import pytest

from pipeline.datasets.layout import ReaderOptions
from pipeline.sources.archives import Archives
from pipeline.steps.ingest import ingest_shards, ingest_step
from tests import builders

PER_SHARD = 2


def keys(folder: Path, layout: str, options: ReaderOptions, splits: tuple[str, ...]) -> set[str]:
    step = ingest_step(folder, "own", "lip", 2, layout)
    return {step.key(shard) for shard in ingest_shards(Archives(folder), layout, splits, PER_SHARD, options)}


def write_lip(folder: Path, count: int) -> None:
    folder.mkdir()
    images = {f"{number:04d}_1": builders.jpeg(seed=number) for number in range(count)}
    builders.write_lip(folder, images, {name: builders.png([[0, 5]]) for name in images})


def write_folders(folder: Path, count: int) -> None:
    """A hundred images in one archive, further ones in another."""
    folder.mkdir()
    for archive, numbers in (("own-1.zip", range(200)), ("own-2.zip", range(200, count))):
        members = []
        for number in numbers:
            members += [
                (f"images/p{number:04d}.jpg", builders.jpeg(seed=number)),
                (f"masks/p{number:04d}.png", builders.png([[0, 5]])),
            ]
        if members:
            builders.write_zip(folder / archive, members)


@pytest.mark.parametrize(
    "layout, write, splits",
    [("lip", write_lip, ("train",)), ("folder", write_folders, ("train",)), ("folder", write_folders, ("train", "val", "test"))],
)  # fmt: skip
def test_one_percent_more_images_change_at_most_three_percent_of_the_shards(tmp_path, layout, write, splits):
    write(tmp_path / "before", 200)
    write(tmp_path / "after", 202)
    options = ReaderOptions(seed=1, splits=splits)
    before, after = (keys(tmp_path / name, layout, options, splits) for name in ("before", "after"))
    assert len(before) >= 100 and len(after - before) <= 0.03 * len(after) and after != before
