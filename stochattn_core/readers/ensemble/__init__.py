"""Reads an ensemble of forecasts and its targets from one or two gridded files, case by case, so that they may be larger than memory.

    axes        puts a file on the axes of this project: member, init_time, lead_time, level, latitude, longitude
    variables   chooses the forecast and the target
    times       valid times and lead times of a file
    places      where in the target each element of the forecast lies
    align       pairs forecast and target on one grid and in time
    values      reads a chunk of cases: codes, fill values, integers and units
    pair        opens all of it
    look        lists it, before anything is computed

Every guess is a note: a sentence with its evidence and the option that changes it.
"""
