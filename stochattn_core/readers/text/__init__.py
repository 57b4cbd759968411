"""Readers of text tables (CSV and its relatives): series_from_csv and table_from_csv.

    choices      what the user says about a file, instead of what would be recognised
    dialect      encoding, separator, lines before the table, header, row names
    numbers      decimal and thousands marks, from all fields of a column
    file         the opened file and its rows, in bounded memory
    columns      one column as numbers or as texts
    times        texts and numbers as dates: day first or month first, time zones
    summer_time  naive local times over a change of the clock
    time_axis    the step of the times and their gaps
    layout       several series in one file, below one another or side by side
    series, table   the datasets made from them
    look         what would be done with a file

Nothing is guessed in silence: whatever was recognised is compared with the alternatives over the fields themselves, and said in a note
together with the option that changes it.
"""
