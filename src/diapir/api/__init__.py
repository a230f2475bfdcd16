"""What a notebook or program calls: the commands as functions, and models that take any image.

`diapir` itself passes these names on. Nothing here prints, and each heavy package is imported when
the first function that needs it is called.
"""
