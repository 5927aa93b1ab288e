"""Judge a trained parser on a split by the benchmark's protocol."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import ParamsError
from pipeline.images import encode_png
from pipeline.params import Params
from pipeline.shards.write import parquet_bytes, replace_folder, write_whole
from pipeline.taxonomy import IGNORE
from trainer.callbacks import Progress, no_progress
from trainer.checkpoints import read_model
from trainer.data.loading import JudgedData, JudgedItem, judged_loader, scaled
from trainer.data.samples import ParsingSamples
from trainer.engine.device import build_fabric, repeatable
from trainer.metrics import ParsingMetrics
from trainer.models import ParsingNetwork, load_model
from trainer.predict import Answer, CropParser, parse_all
from trainer.scoring import Scores

PREDICTION_SCHEMA = pa.schema(
    [
        ("sample_id", pa.string()),
        ("mask", pa.binary()),
        ("pixel_accuracy", pa.float64()),
        ("mean_iou", pa.float64()),
    ]
)


def evaluate(
    params: Params, model_file: Path, shards_root: Path, out: Path, progress: Progress = no_progress
) -> dict[str, Any]:
    """Judge a model file on `evaluate.split` of the data sets in `train.datasets`.

    Args:
        params: the sections evaluate, train (data sets, batch size, threads, workers) and shards are read.
        model_file: as `train` wrote it; it brings its own label set, keypoint set and input spec.
        shards_root: holds <dataset>/<split>.
        out: folder of parquet shards of PREDICTION_SCHEMA, replaced as a whole.
        progress: called with the samples done and their number.

    Returns:
        protocol (what was judged, and how), scores, iou, pckh, constant (see Scores.compute) and confusion (a list of
        rows: pixels of true class i predicted as class j).

    Raises:
        DataError: the model file or a shard is missing or damaged.
        ParamsError: the split's label set has classes that the model's lacks, or the model cannot be fed at a scale.
    """
    rules, settings = params.evaluate, params.train
    with repeatable(settings.threads):
        card, _ = read_model(model_file)
        fabric = build_fabric("32-true")
        network = load_model(model_file)
        for scale in rules.scales:
            _require_size(network, scaled(card.input_spec.size, scale), scale)
        parser = CropParser(fabric.setup_module(network), card, fabric.device, rules.flip)
        folders = [shards_root / name / rules.split for name in settings.datasets]
        samples = ParsingSamples(folders, parser.label_set, parser.keypoint_set, settings.label_maps)
        data = JudgedData(samples, card.input_spec, rules.scales)
        scores = Scores(parser.label_set, parser.keypoint_set)
        answers = parse_all(parser, judged_loader(data, settings.batch_size, params.executor.loader_workers))
        rows = _judged_rows(answers, scores, len(samples), progress)
        _write_predictions(rows, out, params.shards.records_per_shard, params.shards.row_group)
    protocol = {
        "name": rules.protocol,
        "datasets": list(settings.datasets),
        "split": rules.split,
        "split_sha256": split_hash(samples),
        "images": len(samples),
        "label_set": card.label_set,
        "resolution": "the crop's own; logits are interpolated, label maps never",
        "input_size": list(card.input_spec.size),
        "flip": rules.flip,
        "scales": list(rules.scales),
        "views": "logits of all scales and mirror images summed; a joint from the view of its highest peak",
        "averaging": "pixels counted over the whole split, then a mean over classes",
        "ignore": IGNORE,
        "absent": scores.parsing.absent,
    }
    return {"protocol": protocol, **scores.compute(), "confusion": scores.parsing.confusion.tolist()}


def _require_size(network: ParsingNetwork, size: tuple[int, int], scale: float) -> None:
    try:
        network.check_input_size(size)
    except ValueError as error:
        raise ParamsError(f"evaluate.scales: {scale:g}: {error}") from error


def split_hash(samples: ParsingSamples) -> str:
    """SHA-256 of the shards' hashes in their order: equal for equal samples, wherever they lie."""
    hashes = [shard.sha256 for shards in samples.shards for shard in shards.manifest.shards]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()


def _judged_rows(
    answers: Iterable[tuple[JudgedItem, Answer]], scores: Scores, count: int, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Rows of PREDICTION_SCHEMA; counts each sample in `scores` as it passes."""
    for done, (item, answer) in enumerate(answers, start=1):
        scores.update(item, answer)
        alone = ParsingMetrics(len(scores.label_set)).update(answer.mask, item.mask).compute()
        yield {
            "sample_id": item.sample_id,
            "mask": encode_png(answer.mask),
            "pixel_accuracy": alone["pixel_accuracy"],
            "mean_iou": alone["mean_iou"],
        }
        progress(done, count)


def _write_predictions(rows: Iterator[dict[str, Any]], out: Path, per_shard: int, row_group: int) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as aside:
        folder = Path(aside) / out.name
        folder.mkdir()
        number = 0
        while shard := list(islice(rows, per_shard)):
            write_whole(folder / f"part-{number:05d}.parquet", parquet_bytes(shard, PREDICTION_SCHEMA, row_group))
            number += 1
        replace_folder(folder, out)
