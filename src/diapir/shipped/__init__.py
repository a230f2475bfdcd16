"""Bundled models: each folder is a bundle, and its name is the model's name."""
