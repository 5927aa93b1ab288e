"""docs/faq.md: each answer shows a command or a file, and both are there."""

import re
from pathlib import Path

import click
import pytest

from pipeline.params import Params, Section
from stages.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
QUESTIONS = re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", TEXT, re.MULTILINE | re.DOTALL)
MADE_BY_RUNS = ("metrics/", "data/manual/")
FOLDERS = ("docs", "data", "tests", "benchmarks", "pipeline", "trainer", "presets", "metrics")


def code(answer: str) -> list[str]:
    return re.findall(r"`([^`]+)`", answer)


def commands(answer: str) -> list[list[str]]:
    return [words.split() for words in code(answer) if words.startswith("hpp ")]


def files(answer: str) -> list[str]:
    return [word for word in code(answer) if word in ("LICENSE", "constraints.txt") or word.split("/")[0] in FOLDERS]


def known(key: str) -> bool:
    """The dotted key is one of the parameters; the name of a data set counts as one."""
    kind: object = Params
    for step in key.split("."):
        if isinstance(kind, type) and issubclass(kind, Section):
            if step not in kind.model_fields:
                return False
            kind = kind.model_fields[step].annotation
        elif getattr(kind, "__args__", None):
            kind = kind.__args__[-1]
        else:
            return False
    return True


@pytest.mark.parametrize("question, answer", QUESTIONS, ids=[question for question, _ in QUESTIONS])
def test_every_answer_shows_a_command_or_a_file_that_is_there(question, answer):
    assert commands(answer) or files(answer)
    for name in files(answer):
        assert name.startswith(MADE_BY_RUNS) or (ROOT / name).exists(), name
    for words in commands(answer):
        assert words[1] in COMMANDS, words
        command = main.get_command(click.Context(main), words[1])
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, words
    for word in code(answer):
        section = word.split(":")[0]
        if re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", section) and section.split(".")[0] in Params.model_fields:
            assert known(section), word


def test_the_questions_are_many_and_none_is_asked_twice():
    assert len({question for question, _ in QUESTIONS}) == len(QUESTIONS) > 20
