"""Samples in the layouts that other tools expect, one file per layout."""

from pipeline.export.run import FORMATS, export

__all__ = ["FORMATS", "export"]
