"""Models, their losses, data feeding, training and evaluation."""

__version__ = "0.1.0"
"""Stands in every model file."""
