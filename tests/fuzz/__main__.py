"""Fuzz the parsers of outside data.

    python -m tests.fuzz                         every target for 60 seconds
    python -m tests.fuzz coco mask --seconds 5   these two
    python -m tests.fuzz coco --atheris          guided by coverage, where atheris is installed, until stopped

What makes a parser raise anything but the user's errors is kept in tests/fuzz/corpus/<target>/ and run by the suite from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from tests.fuzz.mutation import mutated
from tests.fuzz.targets import TARGETS, Target

CORPUS = Path(__file__).parent / "corpus"


def problem(target: Target, data: bytes) -> Exception | None:
    """What a target raises beyond the user's errors."""
    try:
        target.run(data)
    except target.errors:
        return None
    except Exception as error:
        return error
    return None


def fuzz(name: str, seconds: float, seed: int) -> tuple[int, int]:
    """Run damaged inputs for so long; (inputs, problems). One input is kept of each place that raises."""
    target, inputs, places = TARGETS[name], 0, set()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        random = np.random.default_rng([seed, inputs])
        data = mutated(target.seeds[inputs % len(target.seeds)], random)
        inputs += 1
        if (error := problem(target, data)) is None:
            continue
        place = traceback.extract_tb(error.__traceback__)[-1]
        own = [
            one
            for one in traceback.extract_tb(error.__traceback__)
            if "pipeline/" in one.filename or "trainer/" in one.filename
        ]
        key = (type(error), place.filename, place.lineno, own[-1].lineno if own else 0)
        if key not in places:
            places.add(key)
            file = CORPUS / name / hashlib.sha256(data).hexdigest()[:16]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
            where = own[-1] if own else place
            print(f"{name}: {type(error).__name__}: {str(error)[:150]} at {where.filename}:{where.lineno}", flush=True)
    return inputs, len(places)


def guided(name: str) -> None:
    """atheris on one target."""
    import atheris

    target = TARGETS[name]

    def one(data: bytes) -> None:
        if (error := problem(target, data)) is not None:
            raise error

    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], str(folder)], one)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--atheris", action="store_true")
    chosen = parser.parse_args()
    names = chosen.targets or list(TARGETS)
    if chosen.atheris:
        guided(names[0])
    total = 0
    for name in names:
        inputs, problems = fuzz(name, chosen.seconds, chosen.seed)
        total += problems
        print(f"{name}: {inputs} inputs, {problems} problems", flush=True)
    sys.exit(1 if total else 0)


if __name__ == "__main__":
    main()
