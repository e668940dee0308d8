"""One layer: a geometry and its weight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from convmat.geometry.arguments import GeometryError, one_of
from convmat.geometry.arrays import (
    Tensor,
    batch_of,
    contiguous,
    from_numpy,
    held,
    on_device,
    result_dtype,
    to_numpy,
)
from convmat.geometry.keywords import keywords
from convmat.geometry.pattern import grid_size
from convmat.geometry.weights import as_weight
from convmat.geometry.window import Geometry
from convmat.kernels.cpu.conv import in_numpy
from convmat.matrix import csr, limits
from convmat.matrix.entries import LayerEntries
from convmat.matrix.exact import Exact, is_rounded
from convmat.matrix.rounding import Rounding, power_of_two, spacing
from convmat.operator.base import SMALL
from convmat.operator.built import BuiltOperator
from convmat.operator.on_device import called, layer_on_device
from convmat.operator.plan import NAMES, PRECISIONS, LayerPlan, Plan, Request, in_numpy_plan
from convmat.operator.scalars import beyond_floats

if TYPE_CHECKING:
    import sympy
    from numpy.typing import ArrayLike
    from scipy import sparse

__all__ = ["LayerOperator"]

Array = np.ndarray[Any, np.dtype[Any]]

_KEEPING = Lock()  # of plans, for several threads may call one layer
KEPT_PLANS = 8  # of one layer
MADE = ("T", "H", "_plans", "_packed")  # when first asked for, and not stored with the layer


class LayerOperator(BuiltOperator):
    """One layer: a geometry and its weight.

    Made by the constructors in `convmat.layers`. The transpose is the transposed geometry with
    the very same weight.
    """

    def __init__(self, geometry: Geometry, weight: Array) -> None:
        self.geometry = geometry
        self.weight = weight
        self.in_shape, self.out_shape = geometry.in_shape, geometry.out_shape
        self.dtype = self._numbers = weight.dtype

    _on_device = layer_on_device

    @property
    def record(self) -> Geometry:
        """The geometry."""
        return self.geometry

    @cached_property
    def T(self) -> LayerOperator:  # noqa: N802
        """The transpose: of a convolution, the transposed convolution, and the reverse.

        Made once, so that what it prepares for its kernels is kept.
        """
        made = LayerOperator(self.geometry.transpose(), self.weight)
        made.__dict__["T"] = self
        return made

    @cached_property
    def H(self) -> LayerOperator:  # noqa: N802
        """The conjugate transpose; of real weights the transpose itself."""
        if self.dtype.kind in "biuf":
            return self.T
        weight = self.weight.conj()
        weight.flags.writeable = False
        return LayerOperator(self.geometry.transpose(), weight)

    def with_weight(self, weight: Any) -> LayerOperator:
        """Return the layer of the same geometry with another weight.

        Parameters
        ----------
        weight : array of the shape of `self.weight`
            Integers, floats, complex numbers, or SymPy expressions. Copied.

        Raises
        ------
        GeometryError
            A weight of another shape, or that holds no numbers.

        Examples
        --------
        >>> import convmat as cm
        >>> cm.conv([[[1, 2]]], in_shape=(1, 3)).with_weight([[[5, 7]]])(np.array([[1, 10, 100]]))
        array([[ 75, 750]])
        """
        array = as_weight(weight)
        if array.shape != self.geometry.weight_shape:
            raise GeometryError(
                "weight",
                array.shape,
                f"must have the shape {self.geometry.weight_shape} of the weight it replaces",
                "reshape it, or make a new layer",
            )
        return LayerOperator(self.geometry, array)

    @overload
    def __call__(self, x: Tensor, out: None = None, *, algorithm: str = ...,
                 precision: str = ..., strict: bool = ...) -> Tensor: ...  # fmt: skip

    @overload
    def __call__(self, x: ArrayLike, out: Array | None = None, *, algorithm: str = ...,
                 precision: str = ..., strict: bool = ...) -> Array: ...  # fmt: skip

    def __call__(
        self,
        x: Any,
        out: Any = None,
        *,
        algorithm: str = "auto",
        precision: str = "default",
        strict: bool = False,
    ) -> Any:
        """Apply to x of shape (*batch, *in_shape), without a matrix; see `plan`.

        Parameters
        ----------
        x : array (*batch, *in_shape)
            The kind of array (NumPy, PyTorch, and on a GPU CuPy and Numba) is kept, and where
            it lies. Read-only, strided and Fortran-ordered arrays are copied.
        out : NumPy array (*batch, *out_shape), optional
            To write into, of the dtype of the result, which is returned otherwise. It may be
            strided and may overlap x, or be float16 as x is, for one copy more.
        algorithm, precision, strict
            As for `plan`.

        Notes
        -----
        The dtype is the promoted dtype of weight and x; integers are summed in 64 bits, where
        they wrap around, and floats narrower than float32 as float32, also bfloat16.
        """
        if on_device(x):
            return called(self, x, out, algorithm)
        given = held(x, self.in_shape, self._numbers)
        plan = self._plan(len(given.x), given.dtype, algorithm, precision, strict)
        y = given.room(out, self.out_shape)
        if y.size:
            try:
                plan.run(contiguous(given.x, given.dtype), y)
            except OverflowError:  # of Python's numbers: those of NumPy become infinite
                raise beyond_floats("x", f"array of {given.x.dtype}") from None
        return given.returned(y, out)

    def plan(
        self,
        x_shape: Sequence[int],
        dtype: Any = None,
        *,
        algorithm: str = "auto",
        precision: str = "default",
        strict: bool = False,
    ) -> LayerPlan:
        """Say which algorithm will apply the layer, why, and at what cost; and prepare it.

        Parameters
        ----------
        x_shape : tuple (*batch, *in_shape)
        dtype : optional
            Of x; that of the weight if not given.
        algorithm : str
            "auto" chooses by a model of costs. "direct" sums as the matrix product does and is
            the reference; "gemm" multiplies small tiles; "winograd", "fft" and "separable" need
            fewer multiplications, where they apply; "sparse" builds the matrix.
        precision : {"default", "fast"}
            With "fast" algorithms that lose about a digit of float32 may be chosen.
        strict : bool
            Choose only algorithms through which NaN and infinity reach exactly the outputs that
            the matrix product would give them to.

        Returns
        -------
        LayerPlan
            Call it, or read it: print it for all of it.

        Raises
        ------
        GeometryError
            Another shape, an unknown name, or an algorithm that cannot serve, with the reason.

        Examples
        --------
        >>> import convmat as cm
        >>> A = cm.conv([[[1, 2, 3]]], in_shape=(1, 6), padding=1)
        >>> plan = A.plan((1, 6), algorithm="direct")
        >>> plan.multiply_adds, plan.error
        (16, 0.0)
        >>> plan(np.arange(6).reshape(1, 6))
        array([[ 3,  8, 14, 20, 26, 14]])
        """
        shape = tuple(int(n) for n in x_shape)
        if shape[max(len(shape) - len(self.in_shape), 0) :] != self.in_shape:
            raise GeometryError(
                "x_shape", shape, f"must be (*batch, *{self.in_shape})", "give the shape of x"
            )
        taken = self.dtype if dtype is None else np.dtype(dtype)
        images = math.prod(shape[: len(shape) - len(self.in_shape)])
        wanted = result_dtype(self._numbers, taken)
        return self._plan(images, wanted, algorithm, precision, strict)

    def _plan(
        self, images: int, dtype: np.dtype[Any], algorithm: str, precision: str, strict: bool
    ) -> LayerPlan:
        """Return the plan, which is kept."""
        key = images, dtype, algorithm, precision, strict
        plans: dict[Any, LayerPlan] = self.__dict__.setdefault("_plans", {})
        plan = plans.get(key)
        if plan is None:
            kept = self.__dict__.setdefault("_packed", {})
            request = Request(self.geometry, self.weight, images, dtype, precision, strict, kept)
            plan = LayerPlan(**vars(_decided(request, algorithm)), layer=self)
            with _KEEPING:
                if len(plans) >= KEPT_PLANS:
                    del plans[next(iter(plans))]
                plans[key] = plan
        return plan

    def _write(self, x: Array, y: Array) -> None:
        plan = self._plan(len(x), y.dtype, "auto", "default", strict=False)
        if y.size:
            plan.run(contiguous(x, y.dtype), y)

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()  # to which another thread may be adding
        return {key: value for key, value in state.items() if key not in MADE}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.weight.flags.writeable = False  # which a pickle does not keep

    def count_nonzero(self) -> int:
        """Return how many entries are not zero, exactly, before the matrix is built."""
        return self._entries().nonzero().before(self.shape[0])

    def _entries(self) -> LayerEntries:
        return LayerEntries(self.geometry, self.weight)

    def weight_matrix(self, x: Any) -> sparse.csr_array[Any]:
        """Return U with ``A(x).ravel() == U @ weight.ravel()``: the layer, linear in its weight.

        Parameters
        ----------
        x : array (*batch, *in_shape)

        Returns
        -------
        scipy.sparse.csr_array of shape (outputs of the whole batch, weight.size), canonical, in
        the dtype of ``A(x)``. The weight gradient for an output gradient g is
        ``U.T @ g.ravel()``.

        Raises
        ------
        GeometryError
            x of another shape, or that holds SymPy expressions.
        MemoryError
            If the result would not fit, found out before it is allocated.
        """
        array = to_numpy(x, "x")
        if array.shape[-len(self.in_shape) :] != self.in_shape:
            raise GeometryError("x", array.shape, f"must end in {self.in_shape}", "reshape it")
        if array.dtype == object:
            raise GeometryError(
                "x", "SymPy expressions", "cannot fill a SciPy matrix", "pass numbers, or use A(x)"
            )
        # U is made of x alone; symbolic weights have no say in its dtype.
        other = array.dtype if self.dtype == object else self.dtype
        array = array.reshape(-1, self.shape[1])
        return csr.weight_matrix(self.geometry, array, result_dtype(other, array.dtype))

    def weight_gradient(self, x: Any, g: Any) -> Any:
        """Return the gradient of ``(g * A(x)).sum()`` by the weight: ``U.T @ g`` without U.

        Parameters
        ----------
        x : array (*batch, *in_shape)
        g : array (*batch, *out_shape)
            The gradient by the output, of the same batch.

        Returns
        -------
        Array of the shape of the weight, in the promoted dtype of both; of the kind of x.

        Raises
        ------
        GeometryError
            Another shape of x or g.

        Notes
        -----
        Summed over the batch; nothing is conjugated. Batch * nnz multiply-adds in compiled
        kernels; up to a few thousand of them, and other dtypes than integers, float32, float64
        and their complex numbers, in matrix products, one for each tap. Of n terms with the unit
        roundoff u the error is at most ``n * u * sum(abs(g) * abs(x))``; the number of threads
        changes no bit, and NaN and infinity reach the entries that meet them.

        Examples
        --------
        >>> import convmat as cm
        >>> A = cm.conv([[[1, 2]]], in_shape=(1, 3))
        >>> A.weight_gradient(np.array([[1, 10, 100]]), np.array([[1, 1]]))
        array([[[ 11, 110]]])
        """
        array = to_numpy(x, "x")
        batch = batch_of(array, self.in_shape)
        weighing = to_numpy(g, "g")
        if weighing.shape != (*batch, *self.out_shape):
            raise GeometryError(
                "g", weighing.shape, f"must have shape {(*batch, *self.out_shape)}, as A(x) has",
                "check batch and channels",
            )  # fmt: skip
        images = math.prod(batch)
        array = array.reshape(images, *self.in_shape)
        weighing = weighing.reshape(images, *self.out_shape)
        dtype = result_dtype(array.dtype, weighing.dtype)
        gradient = in_numpy.weight_gradient
        if images * self.nnz > SMALL:
            from convmat.kernels.cpu.weight_gradient import choosing  # loads the compiler

            gradient = choosing.weight_gradient
        return from_numpy(gradient(self.geometry, array, weighing, dtype), like=x)

    def symbolic_matrix(self, name: str = "w") -> sympy.SparseMatrix:
        """Return a SymPy matrix with entries ``name[...]``, or the weight's own expressions.

        Raises
        ------
        MemoryError
            If it would not fit, found out before anything is allocated.

        Examples
        --------
        >>> import convmat as cm
        >>> cm.conv([[[1, 2]]], in_shape=(1, 3)).symbolic_matrix()
        Matrix([
        [w[0, 0, 0], w[0, 0, 1],          0],
        [         0, w[0, 0, 0], w[0, 0, 1]]])
        """
        # A mask and two integers a candidate beside the entries.
        limits.check_symbolic_memory(self.nnz, 17 * grid_size(self.geometry))
        from convmat.symbolic.matrices.entries import symbolic_matrix

        return symbolic_matrix(self.geometry, self.weight, name)

    def _symbolic(self, names: dict[int, str]) -> sympy.SparseMatrix:
        return self.symbolic_matrix(names[id(self.weight)])

    def _weighted(self) -> tuple[Array, ...]:
        return (self.weight,)

    def _exact(self, most: int) -> Exact | None:  # noqa: ARG002, it has no more than that
        return Exact.of_layer(self.geometry, self.weight)

    def _absolute(self) -> LayerOperator:
        wide = self.weight.astype(np.complex128 if self.dtype.kind == "c" else np.float64)
        return LayerOperator(self.geometry, abs(wide))

    def _rounding(self) -> Rounding:
        if self.dtype != object:
            given = int(self.dtype.kind in "fc")
            return Rounding(spacing(self.dtype), given, 0, power_of_two(self.weight))
        given = int(any(is_rounded(number) for number in self.weight.flat))
        return Rounding(spacing(self.dtype) * given, given, 0, 0)

    def _name(self) -> str:
        words = [f"{word} {value}" for word, value in keywords(self.geometry).items()]
        return ", ".join(["conv_transpose" if self.geometry.flipped else "conv", *words])


def _decided(request: Request, algorithm: str) -> Plan:
    """Decide what applies a layer: NumPy where kernels would take longer to load."""
    one_of("algorithm", algorithm, NAMES)
    one_of("precision", request.precision, PRECISIONS)
    if algorithm == "auto" and request.images * request.geometry.nnz <= SMALL:
        return in_numpy_plan(request, "so few numbers that no kernel need be loaded")
    from convmat.operator.algorithms import make_plan  # loads the compiler

    return make_plan(request, algorithm)
