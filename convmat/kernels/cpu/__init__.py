"""Kernels for the processor, grouped by what a loop writes; the map stands in `convmat.kernels`.

vectors          the innermost loops, written down vector by vector
threads          work cut into pieces, and who does them
layout           what loops read: phases, padded inputs, packed weights
conv             outputs of layers with weights
kronecker        outputs of layers without weights
max_pool         the greatest input of every window
csr              the arrays of a sparse matrix
weight_gradient  gradients by the weight

Layers are three-dimensional here: shorter ones have axes of one position in front.
"""
