"""The version of diapir; also what the build reads."""

__version__ = "0.1.0"
