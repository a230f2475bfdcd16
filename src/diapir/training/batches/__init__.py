"""The images of a step: tiles and windows of sections, augmented and put together in batches."""
