"""Which parameters of a layer keep, halve, double or reach a size.

============  ======================================================
`conditions`  from a size that is wanted to conditions on parameters
`families`    an equation solved for one of its unknowns
`existence`   whether any layer meets conditions
`solving`     `solve_layer`
`solutions`   what it returns
============  ======================================================
"""
