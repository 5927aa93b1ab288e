"""Which package may import which."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imported(path: Path) -> set[str]:
    """Top-level names of all modules that a file imports, also inside functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0] if node.level == 0 else "a relative import")
    return names


def files(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if "__pycache__" not in path.parts)


RULES = [
    ("pipeline", {"click", "dvc", "dvclive", "stages", "trainer"}),
    ("trainer", {"click", "dvc", "dvclive", "stages"}),
]


@pytest.mark.parametrize("package, forbidden", RULES, ids=[package for package, _ in RULES])
def test_logic_knows_neither_the_command_line_nor_dvc(package, forbidden):
    found = {str(path.relative_to(ROOT)): imported(path) & forbidden for path in files(package)}
    assert len(found) > 20 and {path: names for path, names in found.items() if names} == {}


def test_torch_stays_with_the_networks():
    allowed = ("pipeline/detection/", "pipeline/pose/", "pipeline/teacher_file.py")
    torch = {"torch", "torchvision", "lightning"}
    users = [str(path.relative_to(ROOT)) for path in files("pipeline") if imported(path) & torch]
    assert users and [path for path in users if not path.startswith(allowed)] == []


def test_labels_and_geometry_know_only_arrays():
    for package in ("pipeline/labels", "pipeline/geometry"):
        for path in files(package):
            text = path.read_text(encoding="utf-8")
            ours = {
                node.module
                for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pipeline")
            }
            assert all(name.startswith(("pipeline.labels", "pipeline.geometry")) for name in ours), path
            assert imported(path) <= {
                "__future__",
                "numpy",
                "cv2",
                "pipeline",
                "dataclasses",
                "collections",
                "functools",
                "typing",
                "math",
            }
