"""detectron2's models from a config and a file of weights; shared by the detector and the pose estimator.

detectron2 is imported inside functions: it has no wheels, and whoever does not use it does without.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.detection.base import SCORE_FLOOR
from pipeline.errors import DataError, ParamsError
from pipeline.teacher_file import InputSpec

_SECTIONS = ("VERSION", "MODEL", "INPUT", "TEST")
"""Of a config: those that decide what a model finds."""

_MISSING = (
    "detectron2 is not installed, and has no wheels. Install it from a checkout of its repository with "
    "`pip install --no-build-isolation ./detectron2` in the project's environment (docs/teachers.md)"
)


def need_detectron2() -> None:
    """Make sure that detectron2 can be imported.

    Raises:
        ParamsError: it cannot; says how to install it.
    """
    try:
        import detectron2
    except ModuleNotFoundError as error:
        raise ParamsError(_MISSING) from error
    try:
        import detectron2.model_zoo  # noqa: F401
    except ModuleNotFoundError as error:
        raise ParamsError(f"detectron2 lacks {error.name!r}. Install it as docs/teachers.md says") from error
    except ImportError as error:
        raise ParamsError(
            f"detectron2 does not load ({error}). Build it anew against this torch: docs/teachers.md"
        ) from error


def read_config(name: str) -> Any:
    """The config of a name in detectron2's model zoo, or of a YAML file, with all that it builds upon.

    Raises:
        ParamsError: detectron2 is not installed, or there is no such config.
        DataError: the file is no detectron2 config.
    """
    need_detectron2()
    from detectron2.config import get_cfg
    from detectron2.model_zoo import get_config_file

    file = Path(name).expanduser()
    if not file.is_file():
        try:
            file = Path(get_config_file(name))
        except RuntimeError as error:
            raise ParamsError(f"{name}: no such file, and no config of detectron2's model zoo") from error
    config = get_cfg()
    try:
        with _quiet():
            config.merge_from_file(str(file))
    except Exception as error:  # yacs and PyYAML raise what they like
        raise DataError(f"{name}: no config of detectron2 ({_short(error)})") from error
    config.MODEL.WEIGHTS = ""
    config.MODEL.DEVICE = "cpu"
    config.MODEL.ROI_HEADS.SCORE_THRESH_TEST = min(config.MODEL.ROI_HEADS.SCORE_THRESH_TEST, SCORE_FLOOR)
    return config


def config_text(config: Any) -> str:
    """What of a config decides what its model finds, as YAML; the same for the same values."""
    from detectron2.config import CfgNode

    text: str = CfgNode({name: config[name] for name in _SECTIONS}).dump(sort_keys=True)
    return text


def config_of(text: str) -> Any:
    """The config of `config_text`.

    Raises:
        ParamsError: detectron2 is not installed.
    """
    need_detectron2()
    from detectron2.config import CfgNode, get_cfg

    config = get_cfg()
    config.merge_from_other_cfg(CfgNode.load_cfg(text))
    return config


def input_of(config: Any) -> InputSpec:
    """How the config's model is fed, in this project's words; the model sees to it itself."""
    mean, std = (tuple(value / 255 for value in values) for values in (config.MODEL.PIXEL_MEAN, config.MODEL.PIXEL_STD))
    return InputSpec((config.INPUT.MIN_SIZE_TEST, config.INPUT.MAX_SIZE_TEST), config.INPUT.FORMAT, mean, std)


def build_model(config: Any) -> nn.Module:
    """The config's model with random weights, on the CPU, in eval mode; nothing is downloaded.

    Raises:
        DataError: the config names what this detectron2 does not have.
    """
    from detectron2.modeling import build_model as build

    try:
        with _quiet():
            model: nn.Module = build(config)
    except (KeyError, AssertionError, ValueError, AttributeError) as error:
        raise DataError(f"a config that detectron2 builds no model from ({_short(error)})") from error
    return model.eval()


def load_weights(model: nn.Module, file: Path) -> None:
    """Fill a model from one of detectron2's files, .pkl or .pth, all of it.

    Raises:
        DataError: the file is unreadable, or lacks a weight of the model.
    """
    from detectron2.checkpoint import DetectionCheckpointer

    for values in model.state_dict().values():
        if values.is_floating_point():
            values.fill_(torch.nan)  # what the file lacks is only logged by detectron2, and stays as it was
    try:
        with _quiet():
            DetectionCheckpointer(model).load(str(file))
    except Exception as error:  # unpickling raises what it likes
        raise DataError(f"{file}: not readable as weights of detectron2 ({_short(error)})") from error
    lacking = [
        name for name, values in model.state_dict().items() if values.is_floating_point() and values.isnan().any()
    ]
    if lacking:
        raise DataError(
            f"{file}: lacks {lacking[0]!r} in this shape ({len(lacking)} such weights), expected the weights of the config"
        )


def published_weights(name: str) -> tuple[str, str]:
    """The address of the published weights of a model zoo's config, and the first digits of their MD5.

    Raises:
        ParamsError: detectron2 is not installed, or none are published for it.
    """
    need_detectron2()
    from detectron2.model_zoo import get_checkpoint_url

    try:
        url: str = get_checkpoint_url(name)
    except RuntimeError as error:
        raise ParamsError(f"{name}: detectron2 publishes no weights for it. Give a file or an address") from error
    digits = re.search(r"_([0-9a-f]{6})\.pkl$", url)
    return url, digits[1] if digits else ""


def model_inputs(images: Sequence[np.ndarray], config: Any) -> list[dict[str, Any]]:
    """Images as a model takes them: resized by the config's test sides, in its order of channels.

    Args:
        images: (H, W, 3) uint8 RGB.
    """
    from detectron2.data.transforms import ResizeShortestEdge, ResizeTransform

    inputs = []
    for image in images:
        height, width = image.shape[:2]
        pixels = image[:, :, ::-1] if config.INPUT.FORMAT == "BGR" else image
        if config.INPUT.MIN_SIZE_TEST:
            sides = ResizeShortestEdge.get_output_shape(
                height, width, config.INPUT.MIN_SIZE_TEST, config.INPUT.MAX_SIZE_TEST
            )
            resize = ResizeTransform(height, width, *(max(side, 1) for side in sides))
            pixels = resize.apply_image(np.ascontiguousarray(pixels))
        tensor: Tensor = torch.from_numpy(pixels.astype(np.float32).transpose(2, 0, 1).copy())
        inputs.append({"image": tensor, "height": height, "width": width})
    return inputs


@contextmanager
def _quiet() -> Iterator[None]:
    """detectron2 logs every weight that a file lacks; the errors here say it in one line."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
