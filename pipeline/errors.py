"""The errors that are told in one line: those of the user's to mend, with exit code 2, and a worker's death."""

from typing import ClassVar

import yaml

NOT_YAML = (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError)
"""What the safe loader raises for text that is no YAML: dates and numbers that are none, and nesting without end, have errors of Python's."""


class DataError(Exception):
    """An input file is missing, damaged or contradicts itself; the message names it and the mend."""

    check: ClassVar[str] = "unreadable"
    """The quality gate's check that a record fails by this error."""


class SizesDiffer(DataError):
    """A label is of another size than its image."""

    check = "sizes_differ"


class UnknownIds(DataError):
    """A mask holds ids or colours that its label set lacks."""

    check = "unknown_ids"


class ParamsError(Exception):
    """A parameter is unknown, of the wrong type or out of range; the message names the key."""


class WorkerDied(Exception):
    """A process ended in the middle of its work; nobody's input is to blame. The message says how to go on."""
