"""The report's first section: what ran, on how much data."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pipeline.shards.manifest import Manifest
from trainer.report.html import DASH, Html, element, join, number, section, size, table
from trainer.report.inputs import ReportInputs


def run_section(inputs: ReportInputs) -> Html:
    """The chosen parameters, and the data sets with their counts and hashes."""
    return section("run", "The run", _choices(inputs), _data(inputs))


def split_hash(manifest: Manifest) -> str:
    """SHA-256 of a split's shard hashes in their order; for one data set the same as evaluate's."""
    return hashlib.sha256("\n".join(shard.sha256 for shard in manifest.shards).encode()).hexdigest()


def source_name(source: str) -> str:
    """What the page calls a source: never a path, which would differ from machine to machine."""
    return "drawn sample" if source == "sample" else Path(source).name


def _choices(inputs: ReportInputs) -> Html:
    train, rules = inputs.params.train, inputs.params.evaluate
    chosen: dict[str, Any] = {
        "data sets": ", ".join(train.datasets),
        "label set, keypoint set": f"{train.label_set}, {train.keypoint_set}",
        "model": f"{train.model} ({train.variant})",
        "backbone": f"{train.backbone}, {train.channels} channels",
        "input": f"{train.input_size[0]} × {train.input_size[1]} (height × width)",
        "epochs": f"{train.epochs}, batches of {train.batch_size}",
        "optimizer": f"{train.optimizer}, rate {train.lr:g}, {train.schedule}",
        "loss": f"{train.loss.refined:g} refined + {train.loss.coarse:g} coarse + {train.loss.alpha:g} edge + "
        f"{train.loss.beta:g} pose",
        "precision": train.precision,
        "judged on": f"{rules.split}, protocol {rules.protocol}, flip {'on' if rules.flip else 'off'}, "
        f"scales {', '.join(f'{scale:g}' for scale in rules.scales)}",
        "seed": inputs.params.seed,
    }
    pairs = [element("div", element("dt", name), element("dd", str(value))) for name, value in chosen.items()]
    return element("dl", join(pairs), class_="choices")


def _data(inputs: ReportInputs) -> Html:
    rows = []
    for dataset, split, shards in inputs.splits():
        manifest, section_ = shards.manifest, inputs.params.datasets[dataset]
        digest = split_hash(manifest)
        rows.append(
            [
                f"{dataset}\u00a0{split}",
                source_name(section_.source_text),
                manifest.label_set or DASH,
                manifest.keypoint_set or DASH,
                element("code", digest[:16], title=digest),
                number(manifest.records),
                number(len(manifest.shards)),
                size(sum(shard.bytes for shard in manifest.shards)),
            ]
        )
    head = ["split", "source", "labels", "joints", "split hash", "people", "shards", "size"]
    return table("Samples that training and evaluation read", head, rows, words=range(5))
