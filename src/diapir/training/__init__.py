"""From a recipe and tiles to a run folder."""
