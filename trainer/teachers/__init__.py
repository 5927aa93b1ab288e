"""Fitting and judging the teachers; their networks live in pipeline/detection and pipeline/pose."""
