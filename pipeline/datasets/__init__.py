"""Data sets: readers of the published archives and the drawn sample set."""
