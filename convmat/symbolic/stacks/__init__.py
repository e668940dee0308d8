"""Layers one after another: sizes, receptive fields and costs in closed form.

==============  ===============================================
`layer_specs`   layers as parameters alone: integers or symbols
`chains`        maps of sizes, joined to one floor
`receptive`     which inputs reach an output
`reach`         the same, where outputs differ by phase
`entry_counts`  how many pairs of output and tap meet an input
`stacks`        `stack`: all of it for a list of layers
==============  ===============================================
"""
