"""Engines: the libraries that run a network, and which of them does."""
