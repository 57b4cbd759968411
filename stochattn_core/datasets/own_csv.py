"""The user's own data from CSV files: what pages, commands and scripts import."""

from stochattn_core.datasets.csv_file import columns_of
from stochattn_core.datasets.csv_series import series_from_csv
from stochattn_core.datasets.csv_table import table_from_csv

__all__ = ["columns_of", "series_from_csv", "table_from_csv"]
