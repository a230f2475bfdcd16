"""diapir finds salt in seismic data."""

__version__ = "0.1.0"
