"""Every `hpp` line of README.md and docs/: the command, its options and the parameters that it sets exist and fit together.

Whether they do what the pages say is for the tests of single pages (test_*_guide.py) and of the stages.
"""

import re
import shlex
from pathlib import Path

import click
import pytest

from pipeline.params import load_params
from stages.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "presets/README.md", *(ROOT / "docs").glob("*.md")])
NAMES = {"DATASET": "lip", "D": "lip", "FORMAT": "coco", "NAME": "sample", "A": "README.md", "B": "README.md"}
"""What pages write for a word of the user's own."""


def lines() -> list[tuple[str, str]]:
    """(page, command) of every line in a block of code that begins with hpp; a line ended by a backslash goes on."""
    found = []
    for page in PAGES:
        for block in re.findall(r"```\w*[^\n]*\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("hpp "):
                    found.append((page.name, re.sub(r"\s+#.*| \[.*\]$", "", line).strip()))
    return found


def test_there_are_such_lines():
    assert len(lines()) > 30


@pytest.mark.parametrize(("page", "line"), lines())
def test_a_command_of_the_pages_exists_with_its_options_and_parameters(page, line, monkeypatch):
    monkeypatch.chdir(ROOT)
    _, *words = shlex.split(line)
    words = [NAMES.get(word, word) for word in words]
    context = main.make_context("hpp", list(words))
    load_params(ROOT / "params.yaml", context.params["overrides"])
    _, command, rest = main.resolve_command(context, [*context._protected_args, *context.args])
    assert command is not None
    try:
        command.make_context(command.name, list(rest), parent=context)
    except click.BadParameter as error:
        assert "does not exist" in error.message, error.message  # a file of the user's
