"""Where everything lies in a SEG-Y file: headers, first trace, distance of traces, their end.

file_layout  the layout, found from the file     layout_search  traces found by their headers
binary_header  its fields, and what is credible  trace_marks    what trace headers share
trace_starts  where the first trace may begin    file_end       where the traces end
segy_layout  the result                          sample_interval
"""
