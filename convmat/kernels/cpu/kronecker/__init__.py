"""Outputs of layers without weights, axis by axis; and selections.

apply      the layer, ready to be applied
lines      its loops, over the lines that other axes make of the last one; vectors has the innermost
segments   the last axis, cut into what plain vectors can compute
selection  layers that only choose among their inputs
in_numpy   the same axis after axis, for whatever has no kernel
"""
