"""Faults at exact moments: a command meets one at its N-th writing file operation, and is repeated.

    make kills COUNT=10 SEED=1 COMMAND=train,products      # COUNT=0: at every operation
    make kills FAULT=full COMMAND=train

    kill    killed before the operation
    tear    killed in the middle of a write after it, at a drawn size of the file
    twice   killed, and the repetition killed as well
    full    the operation and all later ones fail as on a full disk
    room    the command works on a real small disk with N pages left (root only)

What the repeated command leaves has to equal, byte for byte and name for name, what an undisturbed
run leaves. Attempts are forks of a server that has imported what the command imports, and nothing
more, so that a kill takes a second; the undisturbed runs are processes of their own.
"""
