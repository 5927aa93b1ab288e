"""Teachers that are given: a file that is none never takes the place of the teacher in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.detection.loading import load_detector
from pipeline.errors import DataError, ParamsError
from stages.teacher import publish_teacher


def never(path: Path) -> None:
    raise AssertionError("nothing is to be fitted")


def test_a_file_that_holds_no_teacher_is_named_and_leaves_the_one_in_force(tmp_path: Path) -> None:
    wrong, target = tmp_path / "wrong.safetensors", tmp_path / "models" / "detector.safetensors"
    wrong.write_bytes(b"no weights")
    target.parent.mkdir()
    target.write_bytes(b"in force")
    with pytest.raises(DataError, match=r"wrong\.safetensors"):
        publish_teacher("detector", str(wrong), target, never, load_detector)
    assert target.read_bytes() == b"in force"


def test_a_missing_file_is_named_with_the_parameter(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"detector\.weights: no file .*gone\.safetensors"):
        publish_teacher("detector", str(tmp_path / "gone.safetensors"), tmp_path / "x", never, load_detector)
