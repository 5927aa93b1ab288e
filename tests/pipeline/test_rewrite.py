"""params.yaml with other values: what changes, what stays, what is refused."""

import pytest
import yaml

from pipeline.errors import ParamsError
from pipeline.params.rewrite import parsed, rewritten

TEXT = """\
# Values.
seed: 1        # of all draws

datasets:   # all of them
  lip:
    images: {train: 1,
             val: 2}
    keypoint_set:    # none
    note: |
      two
      lines

  # The second.
  cihp:
    source: sample

# Others.
train:
  scales: # a list
    - 1
    - 2   # the last

  lr: 0.002 # tight
  lost: old
end: true
"""


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "place, value, before, after",
    [
        (("seed",), 12345, "seed: 1        # of", "seed: 12345    # of"),
        (("seed",), "a long text of many words", "seed: 1        # of", "seed: a long text of many words  # of"),
        (("datasets", "lip", "images"), {}, "images: {train: 1,\n             val: 2}", "images: {}"),
        (("datasets", "lip", "keypoint_set"), "lip16", "keypoint_set:    #", "keypoint_set: lip16  #"),
        (("datasets", "lip", "note"), None, "note: |\n      two\n      lines\n", "note: null\n"),
        (("train", "scales"), [3.5], "scales: # a list\n    - 1\n    - 2   # the last\n", "scales: [3.5] # a list\n"),
        (("train", "lr"), 1e-5, "lr: 0.002 # tight", "lr: 1.0e-05  # tight"),
        (("train",), {}, TEXT[TEXT.index("train:\n") : TEXT.index("end:")], "train: {}\n"),
        (("end",), False, "end: true", "end: false"),
        (("new",), [1, None], "end: true\n", "end: true\nnew: [1, null]\n"),
        (("train", "new"), {"a": 1}, "  lost: old\n", "  lost: old\n  new: {a: 1}\n"),
        (("datasets", "own"), {"a": {}, "b": [1]}, "sample\n", "sample\n  own:\n    a: {}\n    b: [1]\n"),
    ],
)  # fmt: skip
def test_one_value_changes_and_every_other_character_stays(place, value, before, after, line_end):
    target = yaml.safe_load(TEXT)
    section = target
    for key in place[:-1]:
        section = section[key]
    section[place[-1]] = value
    assert TEXT.count(before) == 1
    changed = rewritten(TEXT.replace("\n", line_end), target, "params.yaml")
    assert changed == TEXT.replace(before, after).replace("\n", line_end)


@pytest.mark.parametrize(
    "place, gone",
    [
        (("train", "lost"), "  lost: old\n"),
        (("datasets", "cihp"), "  cihp:\n    source: sample\n"),
        (("datasets", "lip", "images"), "    images: {train: 1,\n             val: 2}\n"),
        (("datasets", "lip", "note"), "    note: |\n      two\n      lines\n"),
        (("end",), "end: true\n"),
    ],
)
def test_a_key_is_taken_out_with_its_lines(place, gone):
    target = yaml.safe_load(TEXT)
    section = target
    for key in place[:-1]:
        section = section[key]
    del section[place[-1]]
    assert rewritten(TEXT, target, "params.yaml") == TEXT.replace(gone, "")


def test_many_changes_at_once_and_back_again():
    target = {"seed": 2, "datasets": {"own": {"source": "x"}}, "train": {"lr": 1.0, "new": None}, "more": {"a": 1}}
    changed = rewritten(TEXT, target, "params.yaml")
    assert yaml.safe_load(changed) == target and "# Others." in changed and "# The second." in changed
    assert yaml.safe_load(rewritten(changed, yaml.safe_load(TEXT), "params.yaml")) == yaml.safe_load(TEXT)


def test_a_text_without_a_last_line_end_and_one_that_needs_no_change():
    assert rewritten("a: 1", {"a": 1, "b": 2}, "params.yaml") == "a: 1\nb: 2\n"
    odd = "a:   {b: 1}\n# é\n"
    assert rewritten(odd, {"a": {"b": 1}}, "params.yaml") is odd


@pytest.mark.parametrize(
    "text, target, message",
    [
        ("a: &x {c: 1}\nb: *x\n", {"a": {"c": 2}, "b": {"c": 1}}, "a cannot be changed by a program as it is written"),
        ("{a: 1}\n", {"a": 2}, "a cannot be changed by a program as it is written"),
        ("a: [\n", {}, "not readable as YAML"),
        ("", {}, "holds NoneType, expected sections"),
    ],
)
def test_what_cannot_be_changed_is_told(text, target, message):
    with pytest.raises(ParamsError, match=rf"params\.yaml: {message}"):
        rewritten(text, target, "params.yaml")


def test_sections_are_expected():
    with pytest.raises(ParamsError, match=r"p\.yaml: holds list, expected sections"):
        parsed("[1]", "p.yaml")
