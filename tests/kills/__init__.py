"""Kills at exact moments: a command is killed before its N-th writing file operation, and repeated.

    make kills COUNT=10 SEED=1 COMMAND=train,products      # COUNT=0: before every operation

What the repeated command leaves has to equal, byte for byte and name for name, what an undisturbed
run leaves.
"""
