"""A project whose data come from a stranger, and commands that are watched while they read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from click.testing import CliRunner

from stages.cli import main

GIGABYTE = 1 << 30


class Project:
    """A folder of its own with params.yaml and a source; everything around it must stay as it is.

    Args:
        folder: an empty folder; `folder/project` is the project.
    """

    def __init__(self, folder: Path, **shop) -> None:
        self.folder = folder
        self.root = folder / "project"
        self.source = folder / "source"
        self.source.mkdir()
        self.root.mkdir()
        fit = {"dataset": "shop", "steps": 1, "batch_size": 1, "lr": 0.1, "warmup_steps": 0, "weight_decay": 0.0}
        dataset = {"source": str(self.source), "layout": "folder", "label_set": "lip", "people": "single", **shop}
        params = {
            "seed": 1,
            "datasets": {"shop": {"splits": ["train"], **dataset}},
            "teacher_datasets": {},
            "executor": {"workers": 1},
            "detector": {"fit": fit},
            "pose": {"fit": fit},
            "heatmaps": {"size": [12, 8], "sigma": 1.5},
            "shards": {"records_per_shard": 6, "row_group": 3},
            "train": {
                "datasets": ["shop"], "label_set": "lip", "keypoint_set": "lip16", "backbone": "resnet18_slim",
                "input_size": [48, 32], "epochs": 1, "batch_size": 2, "lr": 0.1,
            },
        }  # fmt: skip
        (self.root / "params.yaml").write_text(yaml.safe_dump(params))

    def refused(self, *arguments: str) -> str | None:
        """The one line on stderr of a command that exits with 2; None where it is done.

        Nothing may be written outside the project, nothing published, and memory stays below a gigabyte.
        """
        outside = self._outside()
        options = ["--params", str(self.root / "params.yaml"), "--root", str(self.root), "--quiet"]
        with memory_below(GIGABYTE):
            result = CliRunner().invoke(main, [*options, *arguments])
        assert self._outside() == outside
        if result.exit_code == 0:
            return None
        assert result.exit_code == 2, (result.output, result.exception)
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert len(lines) == 1 and lines[0].startswith("Error: "), result.stderr
        assert "\x1b" not in lines[0]
        assert not list(self.root.glob("data/ingest/*"))
        return lines[0]

    def _outside(self) -> set[Path]:
        return {path for path in self.folder.rglob("*") if self.root not in path.parents} | set(
            self.folder.parent.iterdir()
        )


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """Fails where the block takes more memory than that, at any moment, on top of what the process has."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    yield
    assert _memory("VmHWM") - before < limit


def _memory(key: str) -> int:
    """Bytes of this process: VmRSS now, VmHWM at most since clear_refs."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) << 10
