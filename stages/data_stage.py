"""What all data stages share: run a step over a data set's shards and publish the folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.execution import NO_FILES, Files
from pipeline.params import Dataset
from pipeline.shards.manifest import Manifest, ShardEntry
from pipeline.shards.step import ShardInput, ShardReport, Step, run_step
from pipeline.taxonomy import KeypointSet
from stages.context import Context


def run_data_stage(
    context: Context,
    dataset: str,
    section: Dataset,
    step: Step,
    shards: Sequence[ShardInput],
    *,
    out: str,
    kind: str,
    keypoint_set: KeypointSet | None,
    files: Files = NO_FILES,
    links: Callable[[str], dict[str, dict[str, str]]] = lambda split: {},
    card: Callable[[Mapping[str, ShardReport]], str] | None = None,
    gate: Callable[[dict[str, ShardReport]], None] | None = None,
    finish: Callable[[str, Path], None] | None = None,
) -> dict[str, ShardReport]:
    """Make and publish data/<out>/<dataset>; split -> what became of its samples."""

    parts = section.parts

    def describe(split: str, entries: tuple[ShardEntry, ...]) -> Manifest:
        return Manifest(
            kind=kind,
            dataset=dataset,
            split=split,
            label_set=parts.name,
            keypoint_set=None if keypoint_set is None else keypoint_set.name,
            parameters=dict(step.parameters),
            steps={step.name: step.version},
            shards=entries,
            links=links(split),
            part_names=parts.part_names,
            colours=parts.colours,
            keypoint_names=() if keypoint_set is None else keypoint_set.keypoint_names,
            limbs=() if keypoint_set is None else keypoint_set.limbs,
        )

    with context.progress(f"{step.name} {dataset}", len(shards), "shards") as progress:
        return run_step(
            step,
            shards,
            describe,
            section.splits,
            context.paths.stage(out, dataset),
            context.paths.scratch,
            engine=context.engine,
            files=files,
            max_rejects=context.params.limits(dataset).max_rejects,
            limit_key=context.params.limit_key(dataset, "max_rejects"),
            progress=progress,
            card=card,
            gate=gate,
            finish=finish,
        )


def mean(total: float, count: float) -> float | None:
    """A mean for the metrics; None where there was nothing to average."""
    return total / count if count else None
