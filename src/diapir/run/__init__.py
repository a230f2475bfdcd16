"""A run folder: the names of its files, its lock, its configuration and its history."""
