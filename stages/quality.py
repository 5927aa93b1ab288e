"""What `hpp ingest` and `hpp check` share: the checks' rules and limits from params.yaml, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.datasets.layout import Layout, ReaderOptions
from pipeline.params import Dataset, Params
from pipeline.quality.checks import CHECKS, CONTRADICTIONS
from pipeline.quality.examine import Rules
from pipeline.quality.verdict import Line, judge
from pipeline.quality.whole_set import SetRules
from pipeline.shards.step import Finding, ShardReport


def reader_options(section: Dataset, seed: int) -> ReaderOptions:
    """What the reader of a data set is told."""
    return ReaderOptions(
        seed=seed,
        splits=section.splits,
        annotations={str(split): file for split, file in section.annotations.items()},
        people=section.people,
        label_set=section.parts,
        num_keypoints=None if section.keypoints is None else len(section.keypoints),
    )


def record_rules(params: Params, dataset: str) -> Rules:
    """The rules for single records: a contradiction whose limit is null leaves its sample in the set."""
    limits = params.limits(dataset)
    return Rules(
        keypoint_tolerance=limits.keypoint_tolerance,
        small_mask_px=limits.small_mask_px,
        rejecting=frozenset(name for name in CONTRADICTIONS if getattr(limits, CHECKS[name].limit) is not None),
    )


def set_rules(params: Params, dataset: str, layout: Layout, account: Mapping[str, object]) -> SetRules:
    """The rules for the whole set; a set that was split by lists of the user's own is not compared with published counts."""
    section = params.dataset(dataset)
    own_lists = account.get("split") == "list files"
    return SetRules(
        dataset=dataset,
        source=section.source_text,
        published={} if own_lists else layout.published,
        source_image=layout.source_image,
        near_duplicate_bits=params.limits(dataset).near_duplicate_bits,
    )


def verdict(
    params: Params, dataset: str, reports: Mapping[str, ShardReport], found: Mapping[str, list[Finding]]
) -> list[Line]:
    """All findings, those in the reports and those of the whole set, against the limits of the data set."""
    limits = params.limits(dataset)
    findings = [one for report in reports.values() for one in (*report.rejects, *report.outcomes) if one.check]
    findings += [one for split in found.values() for one in split]
    values = {check.limit: getattr(limits, check.limit) for check in CHECKS.values()}
    return judge(findings, values, lambda limit: params.limit_key(dataset, limit))
