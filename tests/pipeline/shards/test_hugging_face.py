"""Hugging Face's `datasets` loads the shards as they are, and shows their images."""

import numpy as np
import pytest

from tests import builders
from tests.pipeline.export.builders import samples, shards

datasets = pytest.importorskip("datasets")


def test_load_dataset_reads_the_shards_and_shows_images(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    content = samples()
    shards(tmp_path / "shards", content)
    files = {split: str(tmp_path / "shards" / split / "*.parquet") for split in content}
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 4, "val": 2}
    shown = loaded.cast_column("image", datasets.Image()).cast_column("mask", datasets.Image())
    for split, found in content.items():
        for row, one in zip(shown[split], found, strict=True):
            assert row["sample_id"] == one.sample_id
            assert row["image"].size == (one.width, one.height)
            pixels = np.array(row["image"].convert("RGB")).astype(int)
            assert np.abs(pixels - builders.decode_jpeg(one.image)).max() <= 3
            assert np.array_equal(np.array(row["mask"]), one.decode_mask())
            assert np.array_equal(np.array(row["keypoints"], np.float32), one.keypoints)
