"""Where a formula and the size of a layer are compared.

==============  =======================================================
`settings`      layers: their symbols, size, and where they exist
`samples`       sizes to look at: large, odd, and where a formula bends
`instructions`  two formulas at every size of a box
`search`        a smallest difference, and hypotheses without one
==============  =======================================================
"""
