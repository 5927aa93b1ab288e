"""Parsers of outside data raise the user's errors and nothing else: on damaged files, on noise, on what fuzzing once found."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import CORPUS
from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS

FOUND = sorted(file for file in CORPUS.rglob("*") if file.is_file())


def run(name: str, data: bytes) -> None:
    target = TARGETS[name]
    try:
        target.run(data)
    except target.errors as error:
        assert str(error)


@pytest.mark.parametrize("name", TARGETS)
def test_damaged_files(name):
    target = TARGETS[name]
    for number in range(25):
        run(name, mutated(target.seeds[number % len(target.seeds)], np.random.default_rng([9, number])))


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=15, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=300))
def test_noise(name, data):
    run(name, data)


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parent.name}-{file.name}")
def test_what_fuzzing_found(file):
    run(file.parent.name, file.read_bytes())
