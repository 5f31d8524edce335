"""From files to `raw.*` and `intake.*`.

`raw.*` is what was received. `intake.*` is the same records in the native shape, typed, without exact duplicates and
with the names of columns whose text could not be read; it is the same whatever the format of the source.
"""
