"""Self-Correction-Human-Parsing and CE2P: LIP's folders and lists; edges are made by their code on the fly."""

from __future__ import annotations

from typing import Any

from pipeline.export.lip_folders import write_lip_split
from pipeline.export.lip_rules import refuse_unlike_lip
from pipeline.export.target import NamedSamples, Target


class Schp:
    """The folder that goes to --data-dir."""

    version = 1
    escaped = ""

    def __init__(self, target: Target) -> None:
        refuse_unlike_lip(target.parts, "schp")
        self._target = target

    def write_split(self, split: str, samples: NamedSamples) -> None:
        """Images, masks and the list of a split."""
        for _ in write_lip_split(self._target.folder, split, samples, self._target.tally, "schp"):
            pass

    def finish(self) -> dict[str, Any]:
        """Nothing belongs to the whole."""
        return {"num_classes": len(self._target.parts)}
