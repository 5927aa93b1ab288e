"""Run a step over the shards of a data set: content-addressed, resumable, published whole.

A shard's key is the hash of its inputs' hashes, the parameters that matter and the step's version. A finished shard lies in
a scratch folder under its key, so a run that was killed goes on where it stopped, and a shard whose inputs did not change
is not made again. The output folder appears at the end, in one piece.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import DataError
from pipeline.execution import NO_FILES, Engine, Files
from pipeline.shards.manifest import Manifest, ShardEntry, sha256_of
from pipeline.shards.write import flush_files, remove_files_left, remove_leftovers, replace_folder, write_whole


@dataclass(frozen=True)
class Finding:
    """A sample that was not used, or used with a remark: which, why, and by which check of the quality gate."""

    sample_id: str
    reason: str
    check: str = ""

    def content(self) -> dict[str, str]:
        """The finding as a line of a list says it."""
        return {key: value for key, value in asdict(self).items() if value or key != "check"}


class Tally(dict[str, float]):
    """Figures that are summed; one that was never added is 0."""

    def __missing__(self, name: str) -> int:
        return 0

    def add(self, figures: Mapping[str, float]) -> None:
        """Sum these figures into this tally."""
        for name, value in figures.items():
            self[name] += value


@dataclass
class ShardReport:
    """What became of one shard's samples.

    Attributes:
        records: records written.
        counts: figures that are summed over shards.
        rejects: damaged or contradictory samples, set against the limit.
        outcomes: samples that rightly gave no record (nobody in the image, a missed person ...), and findings about others.
        remarks: what the manifest says of the shard; nothing as a rule.
        marks: what a check over the whole set needs to know of each sample; JSON-able.
    """

    records: int = 0
    counts: Tally = field(default_factory=Tally)
    rejects: list[Finding] = field(default_factory=list)
    outcomes: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    marks: list[dict[str, Any]] = field(default_factory=list)

    def add(self, other: ShardReport) -> None:
        """Sum another shard's report into this one."""
        self.records += other.records
        self.counts.add(other.counts)
        self.rejects += other.rejects
        self.outcomes += other.outcomes
        self.remarks += other.remarks
        self.marks += other.marks


_DAMAGED = ("", "unreadable")
"""Checks of rejects that another copy of the same file may not have; what a file says in whole bytes, it says again."""

Work = Callable[[Any], tuple[bytes, ShardReport]]
"""Makes one shard's bytes from its inputs; picklable, its only state being parameters."""


@dataclass(frozen=True)
class ShardInput:
    """One shard to make: its place in the data set, what it is made from, and the hash of that.

    Attributes:
        files: those of its own that it is made from, where there are some: path -> SHA-256.
    """

    split: str
    stem: str
    inputs: Any
    content: str
    files: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """What is done to every shard.

    Attributes:
        name, version: the version is raised by hand whenever the same inputs would give other bytes.
        parameters: all that decides the bytes, JSON-able.
        suffix: ending of the shards, "parquet" or "npz".
        work: makes a shard.
        resident: work that holds a network; see Engine.
        checks: what else decides the report, JSON-able; part of the key, not of the manifest.
    """

    name: str
    version: int
    parameters: Mapping[str, Any]
    suffix: str
    work: Work
    resident: bool = False
    checks: Mapping[str, Any] = field(default_factory=dict)

    def key(self, shard: ShardInput) -> str:
        """The content address of a shard of this step."""
        parts = [self.name, self.version, self.parameters, shard.content]
        described = json.dumps([*parts, self.checks] if self.checks else parts, sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:40]


def content_hash(*parts: Any) -> str:
    """Hash of JSON-able parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class _Task:
    inputs: Any
    path: Path
    files: Mapping[Path, str]

    @property
    def outputs(self) -> tuple[Path, Path]:
        """The shard, and its report."""
        return self.path, self.path.with_suffix(".json")


@dataclass(frozen=True)
class _Finished:
    """A shard in scratch: its report and the SHA-256 of its bytes."""

    report: ShardReport
    sha256: str


def _make(work: Work, task: _Task) -> None:
    """Make one shard in scratch; its report, written last, marks it as finished.

    Neither is flushed to the disk: the next run looks whether the shard's bytes are those that the report tells.
    """
    data, report = work(task.inputs)
    content = {
        "records": report.records,
        "counts": dict(report.counts),
        "rejects": [finding.content() for finding in report.rejects],
        "outcomes": [finding.content() for finding in report.outcomes],
        "marks": report.marks,
        "remarks": report.remarks,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    shard, told = task.outputs
    write_whole(shard, data, flush=False)
    write_whole(told, json.dumps(content).encode(), flush=False)


def _finished(path: Path) -> _Finished:
    content = json.loads(path.with_suffix(".json").read_text())
    report = ShardReport(
        records=content["records"],
        counts=Tally(content["counts"]),
        rejects=[Finding(**finding) for finding in content["rejects"]],
        outcomes=[Finding(**finding) for finding in content["outcomes"]],
        remarks=content.get("remarks", []),
        marks=content.get("marks", []),
    )
    return _Finished(report, content.get("sha256", ""))


def _is_finished(path: Path) -> bool:
    """Whether scratch holds the shard, whole and without a damaged sample.

    Damaged samples are tried anew in every run: an archive that is got again has the same names and CRCs in its
    directory, and so the same key, as the damaged one. Bytes are compared because a published shard is the same file as its scratch
    one and may have been damaged there.
    """
    if not path.is_file() or not path.with_suffix(".json").is_file():
        return False
    try:
        finished = _finished(path)
    except ValueError:  # no JSON: the machine lost its power before the disk had it
        return False
    damaged = any(one.check in _DAMAGED for one in finished.report.rejects)
    return not damaged and sha256_of(path) == finished.sha256


def run_step(
    step: Step,
    shards: Sequence[ShardInput],
    describe: Callable[[str, tuple[ShardEntry, ...]], Manifest],
    splits: Sequence[str],
    out: Path,
    scratch: Path,
    *,
    engine: Engine,
    files: Files = NO_FILES,
    max_rejects: int | None,
    limit_key: str,
    progress: Callable[[int], None],
    card: Callable[[Mapping[str, ShardReport]], str] | None = None,
    gate: Callable[[dict[str, ShardReport]], None] | None = None,
    finish: Callable[[str, Path], None] | None = None,
) -> dict[str, ShardReport]:
    """Make all shards that scratch lacks, then publish the folder.

    Args:
        step: what to do.
        shards: in source order.
        describe: split and its entries -> its manifest.
        splits: every split to publish, also those without a shard.
        out: the folder to publish: <out>/<split>/part-00000.<suffix>, manifest.json, rejects.jsonl, outcomes.jsonl.
        scratch: folder of finished shards by key.
        engine: where the shards are made.
        files: what all shards are made with, beside those of their own.
        max_rejects: more rejects than this is an error, and nothing is published; None: any number passes.
        limit_key: the parameter that sets it, for the error.
        progress: told the number of shards that are done.
        card: reports -> the text of a README.md beside the splits.
        gate: looks at the whole before it is published: may add outcomes, and raises DataError to refuse. Rejects that
            name their check are its business and not set against `max_rejects`.
        finish: told every split and its folder, shards and manifest in it, before anything is published; what it writes
            there is published with them. It must not touch the shards, which are scratch's own files.

    Returns:
        split -> the sum of its shards' reports.

    Raises:
        DataError: too many rejects, or the gate refuses.
    """
    folder = scratch / step.name
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{step.key(shard)}.{step.suffix}" for shard in shards]
    missing = [
        _Task(shard.inputs, path, shard.files)
        for shard, path in zip(shards, paths, strict=True)
        if not _is_finished(path)
    ]
    files = replace(files, inputs=lambda task: task.files, outputs=lambda task: task.outputs)
    progress(len(shards) - len(missing))
    try:
        for _ in engine.run_tasks(partial(_make, step.work), missing, resident=step.resident, files=files):
            progress(1)
    finally:  # a worker that was stopped could not put away what it had begun
        remove_files_left(folder, {name for path in paths for name in (path.name, path.with_suffix(".json").name)})
    reports = {split: ShardReport() for split in splits}
    for shard, path in zip(shards, paths, strict=True):
        reports[shard.split].add(_finished(path).report)
    if gate is not None:
        gate(reports)
    rejects = [one for report in reports.values() for one in report.rejects if gate is None or not one.check]
    _refuse_rejects(step.name, rejects, max_rejects, limit_key)
    _publish(step, shards, paths, reports, describe, out, card(reports) if card else None, finish)
    return reports


def _refuse_rejects(name: str, rejects: Sequence[Finding], limit: int | None, limit_key: str) -> None:
    if limit is not None and len(rejects) > limit:
        more = f" (and {len(rejects) - 1} more)" if len(rejects) > 1 else ""
        raise DataError(
            f"{rejects[0].reason}{more}. {name} rejected {len(rejects)}, {limit_key} allows {limit}; nothing was published. "
            "Mend the source or raise the limit"
        )


def _publish(
    step: Step,
    shards: Sequence[ShardInput],
    paths: Sequence[Path],
    reports: Mapping[str, ShardReport],
    describe: Callable[[str, tuple[ShardEntry, ...]], Manifest],
    out: Path,
    card: str | None,
    finish: Callable[[str, Path], None] | None,
) -> None:
    remove_leftovers(out)
    aside = out.with_name(f".{out.name}.new-{os.getpid()}")
    try:
        for split, report in reports.items():
            (aside / split).mkdir(parents=True)
            entries, remarks = [], []
            for shard, path in zip(shards, paths, strict=True):
                if shard.split != split:
                    continue
                name = f"{shard.stem}.{step.suffix}"
                _link(path, aside / split / name)
                finished = _finished(path)
                entries.append(ShardEntry(name, finished.report.records, path.stat().st_size, finished.sha256))
                remarks += [f"{name}: {remark}" for remark in finished.report.remarks]
            replace(describe(split, tuple(entries)), remarks=tuple(remarks)).write(aside / split)
            for kind in ("rejects", "outcomes"):
                lines = [json.dumps(finding.content()) + "\n" for finding in getattr(report, kind)]
                (aside / split / f"{kind}.jsonl").write_text("".join(lines), encoding="utf-8")
            if finish is not None:
                finish(split, aside / split)
        flush_files(sorted(aside.rglob(f"*.{step.suffix}")))
        if card is not None:
            (aside / "README.md").write_text(card, encoding="utf-8")
        replace_folder(aside, out)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _link(path: Path, target: Path) -> None:
    """A second name for the file where the file system can, a copy elsewhere."""
    try:
        os.link(path, target)
    except OSError:
        shutil.copyfile(path, target)
