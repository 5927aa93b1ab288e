"""A project whose data come from a stranger, and commands that are watched while they read them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from click.testing import CliRunner

from stages.cli import main
from tests import builders

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
        dataset = {"source": str(self.source), "layout": "folder", "label_set": "lip", "people": "single", **shop}
        datasets = {"shop": {"splits": ["train"], **dataset}}
        builders.write_params(self.root, datasets, shards={"records_per_shard": 6, "row_group": 3})

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
