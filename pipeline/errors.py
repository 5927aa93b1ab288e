"""The errors that are the user's to mend; a stage turns them into one line and exit code 2."""

from typing import ClassVar


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
