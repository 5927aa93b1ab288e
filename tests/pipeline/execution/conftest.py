"""Functions of these tests run in processes of their own, which have to find them."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def importable_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spawned processes get this one's path; pytest leaves the project's folder out of it."""
    monkeypatch.syspath_prepend(ROOT)
