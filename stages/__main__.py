"""`hpp`, also as `python -m stages`.

Worker processes import the file that a program began with: here it is this one, and it brings nothing along.
"""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from stages.cli import main as run

    run()


if __name__ == "__main__":
    main()
