"""Make the matrix of a convolution: print it, or save it for scipy.sparse.load_npz.

python scripts/generate_matrix.py --size 5 5 --kernel-size 3 --stride 2 --padding 1
python scripts/generate_matrix.py --size 1000000 --kernel-size 9 --output matrix.npz
"""

from __future__ import annotations

import command_line
import numpy as np
from scipy import sparse

import convmat as cm


def main(arguments: list[str] | None = None) -> None:
    """Read the options, build the matrix, print or save it."""
    parser = command_line.layer_parser(__doc__.splitlines()[0], [5, 5])
    parser.add_argument("--transposed", action="store_true", help="the transpose of this layer")
    parser.add_argument("--output", type=command_line.writable, help="a .npz file")
    options = parser.parse_args(arguments)

    # Weights 1, 2, 3, ... show in the matrix where each of them went.
    c_in, c_out = options.channels
    shape = (c_out, c_in, *[options.kernel_size] * len(options.size))
    weight = np.arange(1.0, np.prod(shape) + 1).reshape(shape)
    try:
        A = cm.conv(
            weight,
            (c_in, *options.size),
            stride=options.stride,
            padding=options.padding,
            dilation=options.dilation,
        )
    except cm.GeometryError as error:
        parser.error(str(error))
    layer = A.T if options.transposed else A

    print(layer)
    if options.output:
        sparse.save_npz(options.output, layer.matrix())
        print(f"saved as {options.output}")
    elif max(layer.shape) <= 40:
        with np.printoptions(linewidth=200, threshold=1600, suppress=True):
            print(layer.matrix().toarray())
    else:
        print(layer.matrix())


if __name__ == "__main__":
    command_line.run(main)
