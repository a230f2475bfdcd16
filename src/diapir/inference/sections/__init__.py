"""Whole sections as a network is shown them: resampled, without blank parts, with caveats."""
