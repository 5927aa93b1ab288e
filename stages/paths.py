"""Where every stage reads and writes, below the project's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PRESETS = Path(__file__).resolve().parent.parent / "presets"
"""Ready parameter files."""

TEACHERS = PRESETS / "teachers"
"""The committed sample teachers and their record."""

SOURCES = Path(__file__).resolve().parent.parent / "data" / "sources.yaml"
"""The registry of the published data sets."""


@dataclass(frozen=True)
class Paths:
    """The layout below `root`, as dvc.yaml and the README have it."""

    root: Path

    def stage(self, name: str, dataset: str) -> Path:
        """What a data stage writes for a data set: data/<name>/<dataset>."""
        return self.root / "data" / name / dataset

    @property
    def shards(self) -> Path:
        """All data sets' shards."""
        return self.root / "data" / "shards"

    @property
    def images(self) -> Path:
        """All data sets' records of whole images, as ingest wrote them."""
        return self.root / "data" / "ingest"

    @property
    def scratch(self) -> Path:
        """Resumable state: ignored by git and by DVC, safe to delete."""
        return self.root / "data" / "scratch"

    @property
    def sources_lock(self) -> Path:
        """Checksums of downloaded files as they first came; in git."""
        return self.root / "data" / "sources.lock.yaml"

    @property
    def label_sets(self) -> Path:
        """Label sets and keypoint sets of one's own; in git."""
        return self.root / "data" / "label_sets"

    @property
    def predictions(self) -> Path:
        """What evaluate predicted."""
        return self.root / "data" / "predictions"

    def model(self, name: str) -> Path:
        """A model file: models/<name>."""
        return self.root / "models" / name

    def metrics(self, stage: str, dataset: str | None = None) -> Path:
        """metrics/<stage>.json, or metrics/<stage>/<dataset>.json."""
        folder = self.root / "metrics"
        return folder / f"{stage}.json" if dataset is None else folder / stage / f"{dataset}.json"

    def plots(self, name: str) -> Path:
        """A folder of plots."""
        return self.root / "plots" / name

    @property
    def report(self) -> Path:
        """The report's folder."""
        return self.root / "report"
