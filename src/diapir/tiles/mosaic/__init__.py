"""Reassembling the sections that tiles were cut from."""
