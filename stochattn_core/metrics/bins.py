"""Bins of the spread: 8 an octave, each 9% wide; plots merge them into about 10."""

BIN_PER_OCTAVE = 8
BIN_SLACK = 1e-9  # of a bin: the variance of tied members may be a power of two, the edge of a bin, and rounding must not choose the bin
LEAST_SPREAD = 2.0**-60  # a spread of exactly 0 has no logarithm; it is counted in the bin of this one
