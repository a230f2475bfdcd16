"""Fuzzing: hostile inputs for everything that diapir reads, each rebuilt from three numbers.

    make fuzz SECONDS=60 SEED=1 TARGET=images,zips
    make fuzz TARGET=zips SEED=1 NUMBER=17          one input again, with its traceback

A target makes input `number` of `seed` in an empty folder and has diapir read it. Acceptance and
a DiapirError are fine; any other exception, a warning, a signal or ten seconds without an end is a
finding.
"""
