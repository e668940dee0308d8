"""Matrices compared entry by entry, on the highest rung that bears it.

===========  ==============================================================
`equality`   the ladder, and the evidence that it leaves
`fractions`  as fractions, or as expressions where there are symbols
`numbers`    in floating point, by blocks of rows, with a bound of rounding
`outcomes`   agreement, or a difference
===========  ==============================================================
"""
