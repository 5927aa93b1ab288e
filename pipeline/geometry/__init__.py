"""Boxes, affine maps and crops.

A pixel's centre is at its integer coordinate; points are (x, y); a box (x, y, w, h) covers the pixel columns
x ... x + w - 1; sizes are (height, width); a mirrored image has x -> W - 1 - x.
"""
