"""Exact multinomial samplers of attention rows, all fed by one counter-based stream of random numbers."""
