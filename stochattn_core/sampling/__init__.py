"""Exact multinomial samplers of attention rows: `eager` is the reference, `cpu` and `gpu` are faster, and one random stream feeds them all."""
