"""Bins of the spread: 8 an octave, 9% wide each; plots merge them to about 10."""

BIN_PER_OCTAVE = 8
BIN_SLACK = 1e-9  # of a bin: the variance of tied members may be a power of two, where rounding would choose the bin
LEAST_SPREAD = 2.0**-60  # a spread of exactly 0 has no logarithm; it goes to the bin of this one
