"""An older name of stochattn_core.readers, so that scripts exported by earlier versions still run."""

from stochattn_core.readers import columns_of, series_from_csv, table_from_csv

__all__ = ["columns_of", "series_from_csv", "table_from_csv"]
