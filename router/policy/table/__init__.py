"""The table of keys: every word of the language, where it may stand and what it holds.

The JSON Schema, the messages about form and the reserved words all come from here; `root.ROOT` is a whole file. A
block's `later` holds the words of the language that this version refuses by name.
"""
