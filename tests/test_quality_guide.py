"""docs/quality.md against the code: every check and limit stands there, and what becomes of a sample is so."""

import re
from pathlib import Path

import yaml

from pipeline.params import Limits
from pipeline.quality.checks import CHECKS
from pipeline.quality.sides import FAR, NEAR

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "quality.md").read_text(encoding="utf-8")


def test_the_table_has_every_check_with_its_limit_and_what_becomes_of_the_sample():
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| .* \| (.*?) ?\|$", GUIDE, re.MULTILINE)
    fates = {name: fate for name, _, fate in rows}
    assert [(name, limit) for name, limit, _ in rows] == [(check.name, check.limit) for check in CHECKS.values()]
    unusable = {name for name, check in CHECKS.items() if check.limit == "max_rejects"}
    for name, check in CHECKS.items():
        expected = "is left out *" if check.contradiction else "is left out" if name in unusable else "stays"
        assert fates[name] == ("" if name == "count_differences" else expected)


def test_the_limits_that_it_shows_are_limits():
    general, own, *_ = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL))
    Limits.model_validate(general["quality"])
    Limits.model_validate(own["datasets"]["lip"]["limits"])
    for name in ("keypoint_tolerance", "small_mask_px", "near_duplicate_bits"):
        assert f"`{name}`" in GUIDE and name in Limits.model_fields


def test_params_yaml_has_every_limit_and_the_defaults_of_the_code():
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["quality"]
    assert values == Limits().model_dump()


def test_the_numbers_that_it_names_are_the_rules():
    assert f"({NEAR:.0%}".replace("%", " %") in GUIDE and f"({FAR:.0%}".replace("%", " %") in GUIDE
