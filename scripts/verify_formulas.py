"""Verify size formulas and the transpose over a grid of small layers; exit 1 if one is false.

python scripts/verify_formulas.py --largest 6
"""

from __future__ import annotations

import itertools
from typing import Any

import command_line
import numpy as np
import sympy

import convmat as cm


def count_windows(n: int, k: int, s: int, p: int, d: int) -> int:
    """Count the windows that lie inside the padded input, by trying every start."""
    return sum(start + d * (k - 1) < n + 2 * p for start in range(0, n + 2 * p, s))


def main(arguments: list[str] | None = None) -> int:
    """Check every claim at every point of the grid; print how many checks failed."""
    parser = command_line.Parser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--largest", type=command_line.positive, default=6, help="inputs up to this size"
    )
    largest = parser.parse_args(arguments).largest

    symbols = sympy.symbols("n k s p d a", integer=True, positive=True)
    n, k, s, p, d, a = symbols
    forward = sympy.lambdify((n, k, s, p, d), cm.output_size(n, k, s, p, d))
    backward = sympy.lambdify(symbols, cm.transposed_output_size(n, k, s, p, a, d))
    checks: dict[str, list[bool]] = {
        "output size = windows counted": [],
        "output size = rows of the matrix": [],
        f"output size = {cm.output_size(n, k, s, p, d)}": [],
        f"transposed size = {cm.transposed_output_size(n, k, s, p, a, d)}": [],
        "matrix of conv_transpose = transpose of the matrix of conv": [],
    }
    results = list(checks.values())
    grid = itertools.product(range(1, largest + 1), range(1, 5), range(1, 4), range(3), range(1, 4))
    for size, kernel, stride, pad, step in grid:
        counted = count_windows(size, kernel, stride, pad, step)
        if counted == 0:
            continue
        weight = np.arange(1, kernel + 1).reshape(1, 1, kernel)
        window: dict[str, Any] = {"stride": stride, "padding": pad, "dilation": step}
        A = cm.conv(weight, (1, size), **window)
        extra = size - backward(counted, kernel, stride, pad, step, 0)
        B = cm.conv_transpose(weight, A.out_shape, output_padding=extra, **window)
        results[0].append(cm.output_size(size, kernel, stride, pad, step) == counted)
        results[1].append(A.matrix().shape == (counted, size))
        results[2].append(forward(size, kernel, stride, pad, step) == counted)
        results[3].append(B.out_shape == (1, size))
        results[4].append(B.shape == A.shape[::-1] and (B.matrix() != A.matrix().T).nnz == 0)

    for claim, outcomes in checks.items():
        wrong = outcomes.count(False)
        print(f"{'holds' if wrong == 0 else 'FALSE'}  {len(outcomes):5} checks  {claim}")
    return 0 if all(outcomes and all(outcomes) for outcomes in results) else 1


if __name__ == "__main__":
    command_line.run(main)
