"""SEG-Y read and written: byte layout, trace headers, geometry, and predictions as SEG-Y.

The codec is our own because segyio neither finds inline and crossline bytes nor tells revisions
apart, changes the caller's array when it writes IBM floats, cannot be pickled for worker processes,
and copies trace headers some hundred times slower than NumPy copies their bytes.
"""
