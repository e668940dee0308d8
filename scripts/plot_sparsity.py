"""Draw the matrices of a convolution and of its transpose, one colour per tap of the kernel.

python scripts/plot_sparsity.py --size 6 6 --stride 2 --padding 1 --output sparsity.png
python scripts/plot_sparsity.py --size 600 512 --channels 3 2 --arithmetic layer.png
"""

from __future__ import annotations

from typing import Any

import command_line
import numpy as np

import convmat as cm


def main(arguments: list[str] | None = None) -> None:
    """Read the options, draw, save."""
    parser = command_line.layer_parser(__doc__.splitlines()[0], [6, 6])
    parser.add_argument("--output", type=command_line.writable, default="sparsity.png")
    parser.add_argument(
        "--arithmetic", type=command_line.writable, help="also draw which inputs are read"
    )
    parser.add_argument(
        "--overlap", type=command_line.writable, help="also draw how windows overlap"
    )
    options = parser.parse_args(arguments)

    c_in, c_out = options.channels
    shape = (c_out, c_in, *[options.kernel_size] * len(options.size))
    try:
        A = cm.conv(
            np.ones(shape),
            (c_in, *options.size),
            stride=options.stride,
            padding=options.padding,
            dilation=options.dilation,
        )
        cm.plot.pair(A).savefig(options.output)
        if options.arithmetic:
            ax: Any = cm.plot.arithmetic(A)
            ax.figure.savefig(options.arithmetic)
        if options.overlap:
            cm.plot.overlap(A.T).savefig(options.overlap)
    except ValueError as error:  # of the layer, or of a file name without a known ending
        parser.error(str(error))
    print(f"{A}\nsaved as {options.output}")


if __name__ == "__main__":
    command_line.run(main)
