"""The three arrays of a sparse matrix.

build      of a layer with weights; lines are its templates
kronecker  of a layer without weights
memory     fresh arrays
"""
