"""What loops read: phases of outputs, padded planes, packed weights, panels of work.

phases   outputs that read alike; a transposed layer is a geometry with a base
planes   copies of inputs with their padding
packing  weights in the order of tiles
panels   places side by side, the part that gemm and winograd have in common
"""
