"""Predicting a survey: options, plan, blocks and workers, and the store of the result."""
