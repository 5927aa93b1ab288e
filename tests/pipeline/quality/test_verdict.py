"""Limits decide: what passes, what fails, and in which words."""

import pytest

from pipeline.errors import DataError
from pipeline.quality.checks import CHECKS
from pipeline.quality.verdict import judge, refuse, summary, table
from pipeline.shards.step import Finding

ZERO = {check.limit: 0 for check in CHECKS.values()}


def findings(**counts):
    return [Finding(f"{name}{n}", f"toy/{name}{n}: so.", name) for name, count in counts.items() for n in range(count)]


def lines(found, **limits):
    return judge(found, {**ZERO, **limits}, lambda limit: f"quality.{limit}")


def by_check(found, **limits):
    return {line.check: line for line in lines(found, **limits)}


def test_every_check_has_a_line_and_every_limit_a_parameter():
    from pipeline.params import Limits

    assert [line.check for line in lines([])] == list(CHECKS) and {line.word for line in lines([])} == {"ok"}
    assert set(ZERO) <= set(Limits.model_fields) and set(Limits.model_fields) - set(ZERO) == {
        "keypoint_tolerance", "small_mask_px", "near_duplicate_bits",
    }  # fmt: skip


def test_a_limit_allows_so_many_and_null_only_reports():
    found = findings(small_masks=2)
    assert by_check(found, max_small_masks=1)["small_masks"].word == "FAILS"
    assert by_check(found, max_small_masks=2)["small_masks"].word == "allowed"
    assert by_check(found, max_small_masks=None)["small_masks"].word == "reported"
    refuse(lines(found, max_small_masks=2), "check", "")
    refuse(lines(found, max_small_masks=None), "check", "")


def test_a_refusal_names_the_first_finding_the_check_the_limit_and_what_to_do():
    message = (
        r"^toy/small_masks0: so \(and 2 more\)\. ingest found 3 small_masks, quality\.max_small_masks allows 1; "
        r"nothing was published\. Mend the source, or raise the limit$"
    )
    with pytest.raises(DataError, match=message):
        refuse(lines(findings(small_masks=3), max_small_masks=1), "ingest", "; nothing was published")


def test_a_refusal_names_other_checks_that_fail():
    found = findings(duplicates=1, empty_people=1)
    message = r"^toy/empty_people0: so\. check found 1 empty_people, .* allows 0; duplicates fail, too\. "
    with pytest.raises(DataError, match=message):
        refuse(lines(found), "check", "")


def test_checks_that_share_a_limit_are_counted_together():
    found = findings(unreadable=1, unknown_ids=2)
    refuse(lines(found, max_rejects=3), "check", "")
    message = r"\(and 2 more\)\. check found 3 \(1 unreadable, 2 unknown_ids\), quality\.max_rejects allows 2"
    with pytest.raises(DataError, match=message):
        refuse(lines(found, max_rejects=2), "check", "")


def test_table_and_summary_say_the_same():
    verdicts = lines(findings(small_masks=5), max_small_masks=None)
    text = table(verdicts).splitlines()
    row = next(index for index, line in enumerate(text) if line.startswith("small_masks"))
    assert text[row].split() == ["small_masks", "5", "-", "reported"]
    assert text[row + 1 : row + 5] == [*(f"    toy/small_masks{n}: so." for n in range(3)), "    ... and 2 more"]
    assert summary(verdicts)["small_masks"] == {
        "found": 5, "limit": None, "key": "quality.max_small_masks", "verdict": "reported",
    }  # fmt: skip
