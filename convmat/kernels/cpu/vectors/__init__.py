"""Explicit vectors: the innermost loops, each beside a twin in Python that says what it means.

writer  how such a loop is declared, and the words in which it is written
sums    sums of products, in the registers of a tile: for layers with weights
copies  copies of lines, as they are, taken apart or interleaved
stream  whole cache lines, for the arrays of a matrix

Loops of one room alone stand there, in a file of its own named `vectors` too.
"""
