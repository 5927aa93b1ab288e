"""The cluster's engine from the command line, as docs/scale.md has it: the same bytes as the local pool's."""

import hashlib

import pytest

from pipeline.datasets.sample.archives import write_archives
from tests.stages.test_check import hpp, write_params

ray = pytest.importorskip("ray")


def test_a_stage_on_ray_gives_the_bytes_of_the_local_pool(tmp_path):
    found = []
    try:
        for name, options in (
            ("local", ["executor.workers=2"]),
            ("ray", ["executor.workers=2", "executor.backend=ray"]),
        ):
            folder = tmp_path / name
            write_archives("lip", folder / "data/raw/lip", {"train": 14, "val": 4}, 3)
            project = write_params(folder)
            words = [word for option in options for word in ("--set", option)]
            hpp(project, *words, "ingest", "lip")
            files = sorted((project / "data/ingest").rglob("*.parquet"))
            assert len(files) == 4
            found.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    finally:
        ray.shutdown()
    assert found[0] == found[1]
