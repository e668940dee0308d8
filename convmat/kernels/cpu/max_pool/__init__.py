"""The greatest input of every window, and where it was.

pooling  the layer and its loops
vectors  the innermost loops
"""
