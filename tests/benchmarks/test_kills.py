"""A data stage killed in the middle of its shards goes on with the next run, workers and all: benchmarks/kills.py in small."""

from __future__ import annotations

import random
from pathlib import Path

from tests.benchmarks.loading import load_script

crowds, processes, kills = load_script("crowds"), load_script("processes"), load_script("kills")


def test_a_killed_stage_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    crowds.write_crowd("lip", tmp_path / "source", images=24, drawn=4)
    project = tmp_path / "whole"
    (project / "models").mkdir(parents=True)
    settings = {
        "datasets.lip.source": tmp_path / "source",
        "datasets.lip.splits": "[train]",
        "shards.records_per_shard": 2,
        "executor.workers": 2,
    }
    for stage in ("download", "ingest"):
        usage = processes.hpp(project, settings, stage, "lip")
        assert usage.seconds > 0 and usage.core_seconds > 0 and usage.peak_mb > 50
    (killed,) = kills.kill_stage(project, settings, "ingest", 1, random.Random(3))
    # Stopped after at least so many shards of twelve as the draw said; the next run left them alone.
    assert random.Random(3).randint(0, 12) == 3 and 3 <= killed.finished <= 12
    assert killed.shards == 12 and killed.made_again == 0
    assert [path.name for path in tmp_path.iterdir() if path.name not in ("source", "whole")] == []
