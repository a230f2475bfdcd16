"""A run folder: the names of its files, its configuration, its lock and its history."""
