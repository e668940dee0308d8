"""A user's script, which a checker of types reads and nobody runs: what it must know and catch."""

from typing import Any, assert_type

import numpy as np
import torch
from scipy import sparse

import convmat as cm
from convmat.operator import KroneckerOperator, LayerOperator

Array = np.ndarray[Any, np.dtype[Any]]

# What is known: the kind of operator, of matrix, and of what comes out.
A = cm.conv(np.ones((1, 1, 3, 3)), (1, 8, 8), stride=2, padding=1)
assert_type(A, LayerOperator)
assert_type(A.T, LayerOperator)
assert_type(A.matrix(), sparse.csr_array[Any])
assert_type(A.matrix(rows=slice(0, 2)), sparse.csr_array[Any])
assert_type(A(np.ones((1, 8, 8))), Array)
assert_type(A([[[1.0] * 8] * 8]), Array)
assert_type(A(torch.ones((1, 8, 8))), torch.Tensor)
assert_type(A.plan((1, 8, 8))(torch.ones((1, 8, 8))), torch.Tensor)
circular: cm.Operator = cm.conv(np.ones((1, 1, 3)), (1, 8), padding=1, padding_mode="circular")
assert_type(circular.matrix(), sparse.csr_array[Any])
assert_type(circular(np.ones((1, 8))), Array)
assert_type(cm.upsample((1, 4), scale_factor=2, mode="linear"), KroneckerOperator)
proof: cm.Proof | cm.Counterexample = cm.prove_transpose(A)

# What is caught, each of these: an ignored error that is none is one.
cm.typo()  # type: ignore[attr-defined]
cm.conv(np.ones((1, 1, 3)), (1, 8), padding_mode="mirrored")  # type: ignore[call-overload]
cm.upsample((1, 4), scale_factor=2, mode="cubical")  # type: ignore[arg-type]
cm.pad((1, 4), 1, "wrap")  # type: ignore[arg-type]
cm.convolution_matrix([1, 2], 5, mode="all")  # type: ignore[arg-type]
A.matrix(format="cxr")  # type: ignore[call-overload]
A.matrix(zeros="keeep")  # type: ignore[call-overload]
