"""The loss of a training: weighted terms, each a ratio of sums over the batch."""
