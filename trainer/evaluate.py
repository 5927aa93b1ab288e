"""Judge a trained parser on a split by a benchmark's protocol."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric
from torch.utils.data import Subset

from pipeline.errors import ParamsError
from pipeline.images import encode_png
from pipeline.params import Params
from pipeline.taxonomy import IGNORE
from trainer.callbacks import Progress, no_progress
from trainer.checkpoints import read_model
from trainer.data.loading import JudgedData, JudgedItem, judged_loader
from trainer.data.samples import ParsingSamples, split_hash
from trainer.data.worker_errors import plain_worker_errors
from trainer.engine.device import build_fabric, repeatable
from trainer.metrics import ParsingMetrics
from trainer.models import load_model
from trainer.multi_person.whole_images import people_of_image
from trainer.predict import Answer, CropParser, check_scales, parse_all
from trainer.predictions import PREDICTION_SCHEMA, write_predictions
from trainer.protocols import PROTOCOLS, CropProtocol, ImageProtocol
from trainer.protocols.images import Assembler, JudgedImage, SourceImage, SourceImages, crop_keys, crop_places, crops_of
from trainer.ranks import merged, share

__all__ = ["PREDICTION_SCHEMA", "Bench", "evaluate", "open_bench", "split_hash"]


_GROUPED = "found in the whole image at scale 1, grouped by the centroids that they point to"


def evaluate(
    params: Params,
    model_file: Path,
    shards_root: Path,
    images_root: Path,
    out: Path,
    progress: Progress = no_progress,
    fabric: Fabric | None = None,
) -> dict[str, Any]:
    """Judge a model file on `evaluate.split` of the data sets in `train.datasets`.

    Args:
        params: the sections evaluate, train (data sets, batch size, threads, workers) and shards are read.
        model_file: as `train` wrote it; it brings its own label set, keypoint set and input spec.
        shards_root: holds <dataset>/<split>, the people's crops.
        images_root: holds <dataset>/<split> as ingest wrote it, the whole images, which some protocols judge.
        out: folder of parquet shards of PREDICTION_SCHEMA, replaced as a whole.
        progress: called with the crops done and their number.
        fabric: device and processes, each of which calls this and gets the same; one device unless given.

    Returns:
        protocol (what was judged, and how), scores, iou, pckh, constant (see PixelScores.compute), what else the
        protocol has, and confusion (a list of rows: pixels of true class i predicted as class j).

    Raises:
        DataError: the model file or a shard is missing or damaged, or lacks labels that the protocol judges by.
        ParamsError: the split's label set has classes that the model's lacks, or the model cannot be fed at a scale.
    """
    with repeatable(params.train.threads):
        bench = open_bench(params, model_file, shards_root, fabric or build_fabric("32-true"))
        protocol = PROTOCOLS[params.evaluate.protocol](bench.parser.label_set, bench.parser.keypoint_set)
        counts = _Counts(protocol)
        rows = _judged_rows(bench, counts, images_root, progress)
        with plain_worker_errors():
            write_predictions(bench.fabric, rows, out, params.shards.records_per_shard, params.shards.row_group)
        counts = merged(bench.fabric, counts)
    judged = {"protocol": _protocol_block(bench, counts), **counts.protocol.compute()}
    return {**judged, "confusion": counts.protocol.parsing.confusion.tolist()}


@dataclass(frozen=True, eq=False)
class Bench:
    """A parser and the split that it is to be shown.

    Attributes:
        params: as of `evaluate`.
        fabric: device and processes.
        parser: the network, ready.
        data: the crops as the parser is fed with them.
    """

    params: Params
    fabric: Fabric
    parser: CropParser
    data: JudgedData

    @property
    def samples(self) -> ParsingSamples:
        """The split's crops."""
        return self.data.samples

    def source_images(self, root: Path) -> SourceImages:
        """The split's whole images."""
        settings, parser = self.params.train, self.parser
        folders = [root / name / self.params.evaluate.split for name in settings.datasets]
        pictures = self.params.evaluate.joints == "images"
        return SourceImages(folders, parser.label_set, parser.keypoint_set, settings.label_maps, pictures)

    def answers(self, wanted: range) -> Iterator[tuple[JudgedItem, Answer]]:
        """Those crops, each with its answer, in order.

        The last batch is filled up: an answer must not depend on how many others were asked for with it.
        """
        settings = self.params.train
        loader = judged_loader(Subset(self.data, wanted), settings.batch_size, self.params.executor.loader_workers)
        return parse_all(self.parser, loader, settings.batch_size)

    def show_images(self, root: Path, sink: Callable[[JudgedImage], None]) -> Iterator[tuple[JudgedItem, Answer]]:
        """This process's share of the images goes to `sink`, their crops with their answers pass by."""
        images = self.source_images(root)
        wanted = share(len(images), self.fabric.global_rank, self.fabric.world_size)
        crops = crops_of(wanted, images.keys(), crop_keys(self.samples.shards))
        assembler = Assembler(images.read(wanted), sink)
        places = crop_places(self.samples.shards, crops)
        for (item, answer), place in zip(self.answers(crops), places, strict=True):
            assembler.add(place, answer)
            yield item, answer
        assembler.finish()


def open_bench(params: Params, model_file: Path, shards_root: Path, fabric: Fabric, judged: bool = True) -> Bench:
    """The model file and the split of `params`; samples without labels pass where they are not to be judged.

    Raises:
        DataError, ParamsError: as of `evaluate`.
    """
    rules, settings = params.evaluate, params.train
    card, _ = read_model(model_file)
    network = load_model(model_file)
    if rules.joints == "images" and not card.options.get("centroids"):
        raise ParamsError(
            f"evaluate.joints: images, but model {card.model} was trained without centroids. Train with train.centroids: true, "
            "or set evaluate.joints to crops"
        )
    try:
        check_scales(network, card.input_spec.size, rules.scales)
    except ValueError as error:
        raise ParamsError(f"evaluate.scales: {error}") from error
    confidence = not judged or issubclass(PROTOCOLS[rules.protocol], ImageProtocol)
    parser = CropParser(fabric.setup_module(network), card, fabric.device, rules.flip, confidence)
    folders = [shards_root / name / rules.split for name in settings.datasets]
    samples = ParsingSamples(folders, parser.label_set, parser.keypoint_set, settings.label_maps)
    return Bench(params, fabric, parser, JudgedData(samples, card.input_spec, rules.scales, labelled=judged))


@dataclass(eq=False)
class _Counts:
    """What a process has counted, and the hashes of what it has counted it against."""

    protocol: CropProtocol | ImageProtocol
    truths: list[bytes] = field(default_factory=list)

    def crop(self, item: JudgedItem, answer: Answer) -> None:
        assert isinstance(self.protocol, CropProtocol)
        self.protocol.update(item, answer)
        self.truths.append(_digest(item.sample_id, item.mask, item.keypoints))

    def image(self, image: JudgedImage) -> None:
        assert isinstance(self.protocol, ImageProtocol)
        self.protocol.update(image)
        self.truths.append(_image_digest(image.source))

    def merge(self, other: _Counts) -> None:
        self.protocol.merge(other.protocol)
        self.truths += other.truths


def _digest(name: str, *arrays: np.ndarray | None) -> bytes:
    told = hashlib.sha256(name.encode())
    for array in arrays:
        told.update(b"none" if array is None else str(array.shape).encode() + np.ascontiguousarray(array).tobytes())
    return told.digest()


def _image_digest(image: SourceImage) -> bytes:
    people = image.record.people
    rles = np.frombuffer(str(people.rles).encode(), np.uint8)
    return _digest(
        image.record.sample_id,
        image.parts,
        image.record.decode_people(),
        image.keypoints,
        people.boxes,
        people.crowd,
        rles,
    )


def _judged_rows(bench: Bench, counts: _Counts, images_root: Path, progress: Progress) -> Iterator[dict[str, Any]]:
    """Rows of PREDICTION_SCHEMA of this process's crops; everything is counted as it passes."""
    whole_images = isinstance(counts.protocol, ImageProtocol)
    total = len(bench.samples)
    if whole_images:
        passing = bench.show_images(images_root, partial(_count_image, bench, counts))
    else:
        passing = bench.answers(share(total, bench.fabric.global_rank, bench.fabric.world_size))
    for done, (item, answer) in enumerate(passing, start=1):
        if not whole_images:
            counts.crop(item, answer)
        alone = ParsingMetrics(len(bench.parser.label_set)).update(answer.counted, item.mask).compute()
        yield {
            "sample_id": item.sample_id,
            "mask": encode_png(answer.mask),
            "pixel_accuracy": alone["pixel_accuracy"],
            "mean_iou": alone["mean_iou"],
        }
        progress(min(done * bench.fabric.world_size, total), total)  # the others are about as far


def _count_image(bench: Bench, counts: _Counts, image: JudgedImage) -> None:
    if bench.params.evaluate.joints == "images":
        image = replace(image, grouped=people_of_image(bench.parser, image.source.record.decode_image()))
    counts.image(image)


def _protocol_block(bench: Bench, counts: _Counts) -> dict[str, Any]:
    """All that decides what the scores mean."""
    rules = bench.params.evaluate
    return {
        "name": rules.protocol,
        "datasets": list(bench.params.train.datasets),
        "split": rules.split,
        "split_sha256": split_hash(bench.samples),
        "truth_sha256": hashlib.sha256(b"".join(counts.truths)).hexdigest(),
        "images": len(counts.truths),
        "label_set": bench.parser.card.label_set,
        "input_size": list(bench.parser.card.input_spec.size),
        "flip": rules.flip,
        "scales": list(rules.scales),
        "ignore": IGNORE,
        "absent": counts.protocol.parsing.absent,
        **counts.protocol.RULES,
        **({"joints": _GROUPED} if rules.joints == "images" else {}),
    }
