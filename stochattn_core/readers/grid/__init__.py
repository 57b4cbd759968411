"""Readers of maps: grid_from_file, for NetCDF, Zarr and GRIB files, on disk or at an address.

address, http_store   what lies at an address: a Zarr store, or a file that is fetched
file, grib            the opened file, with its times decoded
kinds                 kinds of grids that are refused, by name
variables, axes       a variable of the file on standard axes
cases                 its step, lead times and three parts
read, values          its fields at some times, and which of their numbers are missing
climatology           what the calendar alone would forecast
dataset               the dataset made of them
contents, look        what the file holds, and what would be done with it
"""
