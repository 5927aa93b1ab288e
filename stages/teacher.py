"""What fit-detector and fit-pose share: which weights are in force, and how they come to models/."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from pipeline.errors import DataError, ParamsError
from pipeline.shards.manifest import sha256_of
from pipeline.shards.write import replace_file
from stages.context import Context
from stages.paths import TEACHERS


def publish_teacher(
    key: str,
    weights: str,
    target: Path,
    fit: Callable[[Path], None],
    load: Callable[[Path], object],
    find: Callable[[], Path] | None = None,
    convert: Callable[[Path, Path], None] | None = None,
) -> str:
    """Put the teacher in force to `target`; the SHA-256 of its file.

    Args:
        key: "detector" or "pose", which names the committed file and the parameter.
        weights: "sample" for the committed file, "fit" to fit one, or what `find` finds.
        fit: fits a teacher and writes it to the path it is given.
        load: loads a teacher; called before a given file takes the place of the teacher in force.
        find: brings the file of other weights to this machine; None takes `weights` as its path.
        convert: writes a file of others as a teacher's file, whole or not at all; None takes teachers' files alone.

    Raises:
        DataError: the committed file is not the one that its record names, or a file holds no such teacher.
        ParamsError: the file of `weights` does not exist.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if weights == "fit":
        fit(target)
        return sha256_of(target)
    if weights == "sample":
        source = TEACHERS / f"{key}.safetensors"
        _check_committed(key, source)
    else:
        source = find() if find else Path(weights).expanduser()
    if not source.is_file():
        raise ParamsError(f"{key}.weights: no file {source}; expected sample, fit, or a file of weights")
    if convert is not None and source.suffix != ".safetensors":
        convert(source, target)
        return sha256_of(target)
    load(source)
    replace_file(target, source.read_bytes())
    return sha256_of(target)


def _check_committed(key: str, source: Path) -> None:
    record = json.loads((TEACHERS / "teachers.json").read_text(encoding="utf-8"))
    expected, found = record[key]["sha256"], sha256_of(source)
    if found != expected:
        raise DataError(f"{source}: SHA-256 is {found}, its record says {expected}. Check the file out again")


def start_file(
    key: str, start: str, scratch: Path, find: Callable[[str, str], Path], convert: Callable[[Path, Path], None]
) -> Path | None:
    """The teacher's file that a fit goes on from; None for random weights.

    Args:
        key: "detector" or "pose".
        start: `<key>.fit.start`.
        scratch: where a file of others is kept as a teacher's.
        find: parameter and its value -> the file of these weights, brought to this machine.
        convert: writes a file of others as a teacher's file, whole or not at all.

    Raises:
        DataError: the file is of another network.
        ParamsError: there is no such file.
    """
    if start == "random":
        return None
    source = find(f"{key}.fit.start", start)
    if source.suffix == ".safetensors":
        return source
    target = scratch / f"{key}_start.safetensors"
    convert(source, target)
    return target


def fit_folder(context: Context, key: str, dataset: str, splits: Sequence[str]) -> Path:
    """The folder of the ingested set on whose people a teacher is fitted and judged.

    Args:
        key: "detector" or "pose".
        dataset: `<key>.fit.dataset`.
        splits: what is needed of it.

    Raises:
        ParamsError: params.yaml has no such set, or the set lacks a split.
    """
    known = {**context.params.teacher_datasets, **context.params.datasets}
    if dataset not in known:
        raise ParamsError(f"{key}.fit.dataset: {dataset!r} is not in params.yaml; it has {', '.join(sorted(known))}")
    missing = [split for split in splits if split not in known[dataset].splits]
    if missing:
        raise ParamsError(
            f"{key}.fit.dataset: {context.params.place(dataset)}.splits lacks {missing[0]}, expected "
            f"{' and '.join(splits)}: fitted on train, judged on val. Name another set, or give this one the split"
        )
    return context.paths.stage("ingest", dataset)
