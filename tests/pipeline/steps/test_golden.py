"""What each data step gives for a fixed input, and the key it is kept under, as they were when its version was last raised.

A step's VERSION is raised by hand when the same input gives other content. Where that is forgotten, shards of the old kind are
taken from scratch as if they were of the new one; where a key changes and the content does not, every shard is made again for
nothing. The kept hashes tell of both.
"""

import hashlib
import importlib
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.pipeline.steps import golden_cases
from tests.pipeline.steps.golden_cases import CASES, Case, Golden

PROJECT = Path(__file__).resolve().parents[3]

# fmt: off
GOLDENS = {
    "ingest of LIP": Golden(3, "c633d2ea56f8d9d869e80724a749e3205811a98f2a210cc0078a0fdacc6ebbbc", "8bff3b78dbc976504f0aa65b4ceebd5e4d1b9a05"),
    "ingest of CIHP": Golden(3, "1f9f5c591b873501ded08fc7e29a706f3f4e562ae7730d838042cfb93dd1700b", "26473e262330be3adeac783eb29f3f471076bd0f"),
    "ingest of COCO": Golden(3, "8a2a61b16f9067aa72c975719668780126f812f1d3db58ce87b9a945c494c460", "708976993e824cd25987036bf952fd2d758e224d"),
    "findings": Golden(2, "b960dc991be881d8484c60820c5e86864bad6891907550cb6e2cf57b2dcd1f78", "2bcb11ee5d6369023c3c2df82daada6bf66d7b0cbfb736d237d3b787b98b76f0"),
    "crop of whole images": Golden(4, "095d37b1b0bf3b98dba170c8431e65b7777eb16ae387f6f7dd524034c97f3f43", "fd83bfc2b606ffb6927d1c674e77b1cc8e856ee9"),
    "crop of annotated people": Golden(4, "e31279f5480b8813e8272c2ac8cd4aee87d11d50b1b38084b085d8a00e708f2e", "50def36c7690d28aa4d72b0efcb474b582a5186b"),
    "crop of found people": Golden(4, "353fa48e4b178c8a9a6d6c63ede3e54b6f26e05fc3ab8e0b72da186b9ef8e274", "09be8f096d7dd8e22137e41121192f921ec7eaf8"),
    "a detector's people": Golden(1, "6ca2e1e5204cfcc1d1e51a97f68ca7b0f5b463c7549b7806bcf208935773ee20", "fixed-1-7174436c"),
    "edges": Golden(4, "8ad1534d3d2fd9cb24788e194b8bc90c6c6d92aa9e4232f0e6e3c6509b5229d0", "1b6eeb3a8584fffe2a9370883f80e435611bd242"),
    "annotated pose": Golden(2, "a547dedd8125ecb2bd9802b9a694f1ea16d0dbac61e47993e165b7efdb2a0b16", "6561dc959fab1dd122cf4783cb874094be4ebf2a"),
    "pseudo pose": Golden(2, "dd4dc0236b440f2cb60b3b3228dbcad2baf723a762c277284705916d25fabd8b", "ce1b07c77d61e2d623c78d0d74f28600a9824e04"),
    "a teacher's joints": Golden(1, "64ef34857bdc8422d3332dbc40c31e4bc109dbd96a313469690a209ab2705c0d", "fixed-2-479c097f"),
    "heatmaps of corrpm": Golden(2, "95bb598e9bf8439afcd8dca3ccebd31a1efe66ab817b8c28eb73696514c37f09", "3b28e08238faa047447a744208e12b03e2f9c021"),
    "heatmaps of mula": Golden(2, "27da77d578636f60f4e87815574a5424b78ce42dce0d727d63de0b70f07ce969", "8162c8de8854a6883407f5d97fc03a3a88ca2e92"),
    "heatmaps of exact": Golden(2, "347810a6b8f1a397684c0cad2e6389c44e41645bb4719de0f663f5e3251574a8", "7989abcfebdb6585eec228568f7b008735c73296"),
    "shard": Golden(2, "a58a1d553631c7e50db9e9e4e2574eb6cc0708e61ee130b19906d06b23863445", "4d20247cf21c014027670307794b0474e083475f"),
}
# fmt: on

RAW_BYTES = {
    "shard": "cd5b19b085672d4bddd08ed90164373f503306a40b0e5609b0526144d29f90d2",
    "heatmaps": "3d7192e91de00248ebc8c9997dd7c7a124527aa614c37ae9e40636ffbc8a38b1",
}
"""SHA-256 of whole files, as the pinned libraries write them."""


def complaint(name, case, kept, found):
    """What is wrong with a step that is to give what is kept, and what to do; None where nothing is."""
    fresh = f'"{name}": {found!r}'
    if found.version != kept.version:
        return f"{name}: {case.constant} in {case.file} is {found.version}, the golden is of {kept.version}. Put the new one here: {fresh}"
    if found.content != kept.content:
        return f"{name}: the same input gives other content; raise {case.constant} in {case.file} and put the new golden here"
    if found.key != kept.key:
        return (
            f"{name}: the content is the same, its key is another: whatever anyone has made is made again. Give the step the "
            f"parameters that it had, or, if that is meant, put the new golden here: {fresh}"
        )
    return None


def need(libraries):
    """Skip where a library that decides the bytes is not of the version that the goldens are of."""
    pins = dict(line.split("==") for line in (PROJECT / "constraints.txt").read_text().splitlines() if "==" in line)
    for library in libraries:
        if version(library) != pins[library]:
            pytest.skip(f"the golden is of {library} {pins[library]}, here is {version(library)}")


@pytest.mark.parametrize("name", CASES)
def test_a_step_gives_what_its_version_gave(tmp_path, name):
    case = CASES[name]
    need(case.libraries)
    told = complaint(name, case, GOLDENS[name], case.make(tmp_path))
    assert told is None, told


def test_whole_files_are_those_of_the_pinned_libraries(tmp_path):
    need(["pyarrow", "numpy"])
    made = {
        "shard": golden_cases.samples_shard(tmp_path),
        "heatmaps": golden_cases.heatmaps_shard(tmp_path, "exact", False),
    }
    found = {name: hashlib.sha256(step.work(shard.inputs)[0]).hexdigest() for name, (step, shard) in made.items()}
    assert found == RAW_BYTES, (
        "the same content is written as other bytes. If that is meant, raise VERSION in every step of pipeline/steps, for their "
        "shards in scratch are of the old kind, and put the new hashes here"
    )


def test_every_version_has_a_golden():
    constants = {
        (f"pipeline/steps/{file.name}", name)
        for file in (PROJECT / "pipeline/steps").glob("*.py")
        for name, value in vars(importlib.import_module(f"pipeline.steps.{file.stem}")).items()
        if name.endswith("VERSION") and isinstance(value, int)
        and f"\n{name} = " in file.read_text()  # not one that is imported
    }  # fmt: skip
    assert constants == {(case.file, case.constant) for case in CASES.values()}
    assert GOLDENS.keys() == CASES.keys()


KEPT = Golden(4, "c0ffee", "0ddba11")
EDGES = Case("pipeline/steps/edges.py", lambda folder: KEPT)


@pytest.mark.parametrize(
    "found, told",
    [
        (KEPT, None),
        (replace(KEPT, content="beef"), "edges: the same input gives other content; raise VERSION in pipeline/steps/edges.py"),
        (replace(KEPT, key="beef"), "edges: the content is the same, its key is another: whatever anyone has made is made again"),
        (replace(KEPT, content="beef", key="beef"), "edges: the same input gives other content; raise VERSION"),
        (replace(KEPT, version=5, key="beef"), "edges: VERSION in pipeline/steps/edges.py is 5, the golden is of 4. Put the new"),
    ],
)  # fmt: skip
def test_a_change_is_told_with_what_to_do(found, told):
    complained = complaint("edges", EDGES, KEPT, found)
    assert complained is None if told is None else complained.startswith(told)
