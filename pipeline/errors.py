"""The two errors that are the user's to mend; a stage turns them into one line and exit code 2."""


class DataError(Exception):
    """An input file is missing, damaged or contradicts itself; the message names it and the mend."""


class ParamsError(Exception):
    """A parameter is unknown, of the wrong type or out of range; the message names the key."""
