"""The gradient by the weight of a layer.

choosing  which of the two ways takes less time
tiles     many channels: products of small dense tiles
lines     few channels: sums along lines of places
sums      the way of sums into the layout of the weight
vectors   the innermost loops
"""
