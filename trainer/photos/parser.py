"""Whole photos in, people out: found, cut out, parsed, and put back into the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from pipeline.detection.base import PersonDetector
from pipeline.detection.loading import load_detector
from pipeline.detection.selection import select_people
from pipeline.errors import ParamsError
from pipeline.geometry.crop import window_in_source
from pipeline.params.executor import Accelerator, Executor
from pipeline.pose.base import PoseEstimator
from pipeline.pose.crops import box_in_crop
from pipeline.pose.loading import load_estimator
from pipeline.records import ImageRecord, People
from pipeline.shards.manifest import sha256_of
from pipeline.shards.step import Finding, ShardReport
from pipeline.steps.crop import surest
from pipeline.steps.cutting import CutRules, Scene
from pipeline.taxonomy import KEYPOINT_SETS, KeypointSet, LabelSet, keypoint_set
from trainer.checkpoints import read_model
from trainer.data.augment import place, warp_image
from trainer.data.loading import JudgedItem, scaled
from trainer.engine.device import build_fabric, repeatable
from trainer.models import for_prediction, load_model
from trainer.models.int8 import computes_in_int8
from trainer.models.prediction_path import fastest_dtype
from trainer.photos.cutting import Cut, cut_people, photo_record, put_back, scene_of, whole_photo
from trainer.photos.people import Person
from trainer.predict import Answer, CropParser, check_scales

TEACHERS = Path(__file__).resolve().parents[2] / "presets" / "teachers"
"""The committed sample teachers, which are in force where no others are given."""

GPU_BATCH = 16
"""Crops that go through the network at once on a GPU; one on the CPU, so that none depends on who else is in the photo."""


@dataclass(frozen=True)
class PhotoRules:
    """How people are looked for and looked at.

    Attributes:
        cut: how they are cut out.
        score: detections below are nobody.
        mask_nms: mask IoU above which the lower-scored of two detections is dropped.
        flip: also look at the mirror image.
        scales: of the parser's input, all looked at.
        threads: of one operation on the CPU; another number rounds differently.
    """

    cut: CutRules = CutRules("black", 0, 60, 0.2)  # noqa: RUF009  # frozen
    score: float = 0.5
    mask_nms: float = 0.5
    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    threads: int = 2


DEFAULT_RULES = PhotoRules()


class Parser:
    """Finds and parses the people of photos; `load` makes one.

    Attributes:
        model_id: names the parsing network and its weights.
        rules: how people are looked for and looked at.
    """

    def __init__(
        self, crops: CropParser, model_id: str, detector_file: Path, pose_file: Path, rules: PhotoRules = DEFAULT_RULES
    ) -> None:
        self.crops, self.model_id, self.rules = crops, model_id, rules
        self._detector_file, self._pose_file = detector_file, pose_file

    @classmethod
    def load(
        cls,
        weights: str | Path,
        detector: str | Path | None = None,
        pose: str | Path | None = None,
        rules: PhotoRules = DEFAULT_RULES,
        accelerator: Accelerator = "auto",
        int8: bool = False,
    ) -> Parser:
        """The parser of a model file; its network prepared for prediction, bfloat16 where the CPU has it.

        Args:
            weights: as `hpp train` or `hpp convert-weights` wrote it.
            detector: who finds the people, models/detector.safetensors for instance; None is the sample's.
            pose: who labels the joints where the model has no head for them; None is the sample's.
            rules: how people are looked for and looked at.
            accelerator: where all networks run; auto is a GPU if there is one.
            int8: compute the parsing network's convolutions in 8 bits, on the CPU.

        Raises:
            DataError: the model file is missing or damaged.
            ParamsError: there is no such accelerator, or it does not compute in 8 bits.
            ValueError: the model cannot be fed at one of the scales.
        """
        file = Path(weights)
        card, _ = read_model(file)
        network = load_model(file)
        check_scales(network, card.input_spec.size, rules.scales)
        fabric = build_fabric("32-true", Executor(accelerator=accelerator))
        dtype = _dtype(fabric.device, int8)
        prepared = fabric.setup_module(for_prediction(network, dtype=dtype))
        crops = CropParser(prepared, card, fabric.device, rules.flip, confidence=True)
        return cls(
            crops,
            f"{card.model}-{sha256_of(file)[:12]}",
            Path(detector or TEACHERS / "detector.safetensors"),
            Path(pose or TEACHERS / "pose.safetensors"),
            rules,
        )

    @property
    def label_set(self) -> LabelSet:
        """The part classes that it answers in."""
        return self.crops.label_set

    @property
    def keypoint_set(self) -> KeypointSet:
        """The joints that it answers in, with limbs where the set is a known one."""
        if not self.has_joints:
            return keypoint_set(self.estimator.keypoint_set)
        known = KEYPOINT_SETS.get(self.crops.keypoint_set.name)
        return (
            known
            if known and known.keypoint_names == self.crops.keypoint_set.keypoint_names
            else self.crops.keypoint_set
        )

    @cached_property
    def has_joints(self) -> bool:
        """Whether the model has a head for joints; the pose teacher labels them where it has none."""
        blank = np.zeros((*self.crops.card.input_spec.size, 3), np.uint8)
        with repeatable(self.rules.threads):
            return len(self._answers([blank])[0].keypoints) > 0

    @cached_property
    def detector(self) -> PersonDetector:
        """Who finds the people, loaded when first asked for."""
        return load_detector(self._detector_file, self.crops.device)

    @cached_property
    def estimator(self) -> PoseEstimator:
        """Who labels the joints where the model cannot, loaded when first asked for."""
        return load_estimator(self._pose_file, device=self.crops.device)

    @property
    def joints_by(self) -> str:
        """Names the network that the joints are from."""
        return self.model_id if self.has_joints else self.estimator.teacher_id

    @property
    def computed_in(self) -> str:
        """What the parsing network's products are computed in."""
        return str(self.crops.model.product_dtype).removeprefix("torch.")

    def predict(self, image: np.ndarray, detect: bool = True) -> list[Person]:
        """The people of a photo by falling score; people of fewer pixels than the rules allow are left out.

        Args:
            image: (H, W, 3) uint8 RGB.
            detect: look for people; else the whole photo is taken as one person.

        Raises:
            ValueError: not such an image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(f"image: {image.dtype} of shape {image.shape}, expected uint8 (H, W, 3)")
        if not detect:
            return self.parse([whole_photo(image)], image)
        return self.look(photo_record("photo", b"", image), image)[1]

    def look(
        self, record: ImageRecord, image: np.ndarray, report: ShardReport | None = None
    ) -> tuple[Scene, list[Person]]:
        """The photo with all its people, and what the parser says of those who are large enough.

        Args:
            record: of the photo.
            image: (H, W, 3) uint8 RGB.
            report: told that nobody was found, and who is left out or not seen by the parser.
        """
        report = ShardReport() if report is None else report
        scene = self.find(record, image, report)
        if not scene.figures:
            report.outcomes.append(Finding(record.sample_id, "nobody was found"))
        return scene, self.parse(cut_people(scene, self.rules.cut, report), image, record.sample_id, report)

    def find(self, record: ImageRecord, image: np.ndarray, report: ShardReport) -> Scene:
        """The photo with its people; `report` is told of those beyond what a map of ids holds."""
        raw = self.detector.detect(image)
        people: People = select_people(raw, self.rules.score, self.rules.mask_nms)
        people = surest(people, record, report)
        return scene_of(record, image, people, {"people": self.detector.teacher_id})

    def parse(
        self, cuts: Sequence[Cut], image: np.ndarray, name: str = "photo", report: ShardReport | None = None
    ) -> list[Person]:
        """The people of the cuts, in their order, numbered as the cuts are.

        Args:
            cuts: of one photo.
            image: (H, W, 3) uint8 RGB, the whole photo.
            name: of the photo, for the report.
            report: told of those of whom the parser sees no part.
        """
        image_hw = image.shape[0], image.shape[1]
        with repeatable(self.rules.threads):
            answers = self._answers([cut.image for cut in cuts])
        parts = put_back(cuts, [answer.mask for answer in answers], image_hw)
        return [self._person(cut, answer, own, image_hw) for cut, answer, own in zip(cuts, answers, parts, strict=True)]

    def _person(self, cut: Cut, answer: Answer, parts: np.ndarray, image_hw: tuple[int, int]) -> Person:
        joints = answer.keypoints
        if not len(joints):
            joints = self.estimator.estimate(cut.image, box_in_crop(cut.box, cut.to_source)[None])[0]
        points = joints[:, :2] + np.asarray(cut.to_source)[:, 2]
        keypoints = np.column_stack([points, joints[:, 2].clip(0, 1)]).astype(np.float32)
        return Person(
            id=cut.person,
            score=cut.score,
            found_box=np.asarray(cut.box, np.float32),
            window=window_in_source(parts.shape, cut.to_source, image_hw),
            window_parts=parts,
            keypoints=keypoints,
            part_scores=_part_scores(parts, answer.confidence, cut.score),
            image_hw=image_hw,
        )

    def _answers(self, images: Sequence[np.ndarray]) -> list[Answer]:
        """What the network says of crops (h, w, 3)."""
        most = 1 if self.crops.device.type == "cpu" else GPU_BATCH
        found: list[Answer] = []
        for start in range(0, len(images), most):
            found += self.crops.parse([self._fed(image) for image in images[start : start + most]])
        return found

    def _fed(self, image: np.ndarray) -> JudgedItem:
        """A crop as the network sees it; what is judged by is not known and empty."""
        spec = self.crops.card.input_spec
        places = [place(image.shape[:2], scaled(spec.size, scale)) for scale in self.rules.scales]
        return JudgedItem(
            "",
            tuple(warp_image(image, placement, spec.fill) for placement in places),
            tuple(placement.to_input for placement in places),
            np.zeros(image.shape[:2], np.uint8),
            np.zeros((0, 3), np.float32),
        )


def _dtype(device: torch.device, int8: bool) -> torch.dtype:
    """What products are computed in."""
    if not int8:
        return fastest_dtype() if device.type == "cpu" else torch.float32
    if device.type != "cpu":
        raise ParamsError(f"int8: for CPUs, but the networks run on {device.type}. Set executor.accelerator to cpu")
    if not computes_in_int8():
        raise ParamsError("int8: takes an x86 processor with AVX2, and this machine has another one. Leave it out")
    return torch.int8


def _part_scores(parts: np.ndarray, confidence: np.ndarray | None, score: float) -> dict[int, float]:
    """Per part id the person's score times the mean probability of the part's pixels."""
    if confidence is None:
        raise ValueError("crops: tells no confidence, expected one with confidence=True")
    pixels = np.bincount(parts.ravel(), minlength=1)
    sums = np.bincount(parts.ravel(), weights=confidence.ravel().astype(np.float64))
    return {int(part): float(score * sums[part] / pixels[part]) for part in np.flatnonzero(pixels) if part}
