"""Jobs: commands of diapir as child processes, with their state on disk."""
