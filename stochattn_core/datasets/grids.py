"""An older name of stochattn_core.readers, so that scripts exported by earlier versions still run."""

from stochattn_core.readers import grid_from_file

__all__ = ["grid_from_file"]
