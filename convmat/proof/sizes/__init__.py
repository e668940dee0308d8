"""Where a formula and the size of a layer are compared.

==============  =======================================================
`settings`      layers: their symbols, size, and where they exist
`samples`       sizes to look at: large, odd, and where a formula bends
`instructions`  two formulas at every size of a box
`search`        a smallest difference
`solving`       what makes two formulas equal, as equations of options
`hypotheses`    where a formula that is wrong somewhere is right
==============  =======================================================
"""
