"""The matrix of real models: each is sampled, counted independently and compared with its plain output.

`python -m tools.model_matrix` measures every entry and writes docs/models.md. MODELS is the visible table: a new model is one line of a
family's file.
"""
