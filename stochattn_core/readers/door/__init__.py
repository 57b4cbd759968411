"""The door: checks that every reader shares, so that a fault is mended once.

    axes        names and attributes by which an axis is recognised, and the order in which it is put
    calendars   dates of every calendar, on an axis on which steps and lead times are even
    time_units  times written as numbers or text
    places      latitudes and longitudes on axes of their own, in degrees
    units       one spelling for each unit, and conversions between units of the same quantity
    values      codes that stand for "missing", and differences that 32 bits lose
    fill_values what libraries write where nothing was written

Each function returns what it was given in the one form that this project uses, or raises a ValueError of one sentence.
"""
