"""SEG-Y in and out: byte layout, trace headers, geometry, and the files written from it."""
