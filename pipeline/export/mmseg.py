"""MMSegmentation: LIP's folders, and dataset.py, a configuration that knows the classes and which of them trade places."""

from __future__ import annotations

from typing import Any

from pipeline.export.lip_folders import write_lip_split
from pipeline.export.target import NamedSamples, Target, flip_pairs

_HEAD = """# Data set {dataset!r} for MMSegmentation 1.x: name this file in `_base_` of a configuration.
data_root = '{{{{ fileDirname }}}}'
classes = {classes}
palette = {palette}
metainfo = dict(classes=classes, palette=palette)
num_classes = {num_classes}
# Without these, RandomFlip would leave left and right as they are.
swap_seg_labels = {swaps}
crop_size = (473, 473)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='RandomResize', scale=crop_size, ratio_range=(0.75, 1.25), keep_ratio=True),
    dict(type='RandomCrop', crop_size=crop_size, cat_max_ratio=1.0),
    dict(type='RandomFlip', prob=0.5, swap_seg_labels=swap_seg_labels),
    dict(type='PackSegInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=crop_size, keep_ratio=True),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
"""
_LOADER = """{split}_dataloader = dict(
    batch_size={batch_size},
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='{sampler}', shuffle={shuffle}),
    dataset=dict(
        type='BaseSegDataset',
        data_root=data_root,
        metainfo=metainfo,
        data_prefix=dict(img_path='{split}_images', seg_map_path='{split}_segmentations'),
        img_suffix='.jpg',
        seg_map_suffix='.png',
        reduce_zero_label=False,
        pipeline={pipeline},
    ),
)
"""
_EVALUATOR = "{split}_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])\n"


class MMSeg:
    """The data_root of MMSegmentation's data sets; dataset.py lies in it."""

    version = 1
    escaped = r"\.(?=jpg)"
    """Its listing takes `.jpg` for the ending wherever in the name it stands."""

    def __init__(self, target: Target) -> None:
        self._target = target

    def write_split(self, split: str, samples: NamedSamples) -> None:
        """Images, masks and the list of a split."""
        for _ in write_lip_split(self._target.folder, split, samples, self._target.tally, "mmseg"):
            pass

    def finish(self) -> dict[str, Any]:
        """Write dataset.py."""
        parts = self._target.parts
        text = _HEAD.format(
            dataset=self._target.dataset,
            classes=parts.part_names,
            palette=parts.palette[: len(parts)].tolist(),
            num_classes=len(parts),
            swaps=flip_pairs(parts) or None,
        )
        for split in self._target.splits:
            training = split == "train"
            text += _LOADER.format(
                split=split,
                batch_size=8 if training else 1,
                sampler="InfiniteSampler" if training else "DefaultSampler",
                shuffle=training,
                pipeline="train_pipeline" if training else "test_pipeline",
            )
            text += "" if training else _EVALUATOR.format(split=split)
        (self._target.folder / "dataset.py").write_text(text, encoding="utf-8")
        return {"num_classes": len(parts)}
