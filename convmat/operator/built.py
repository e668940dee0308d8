"""What operators with a matrix of their own have in common, as opposed to compositions."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Literal, overload

from convmat.geometry.pattern import Record, nbytes
from convmat.geometry.weights import working_dtype
from convmat.matrix import csr
from convmat.matrix.entries import Entries
from convmat.operator.algebra import Operator

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse

    from convmat.matrix.csr import Zeros
    from convmat.matrix.files import Format

__all__ = ["BuiltOperator"]


class BuiltOperator(Operator):
    """A layer whose matrix is built entry by entry, whole or by rows."""

    @property
    @abstractmethod
    def record(self) -> Record:
        """Which output meets which input."""

    @abstractmethod
    def _entries(self) -> Entries:
        """Return the record with its numbers."""

    @property
    def nnz(self) -> int:
        """Stored entries of the matrix, exactly, before it is built."""
        return self.record.nnz

    @property
    def longest_row(self) -> int:
        """Stored entries of a row, at most."""
        return self.record.longest_row

    @property
    def longest_column(self) -> int:
        """Stored entries of a column, at most."""
        return self.record.longest_column

    @property
    def nbytes(self) -> int:
        """Bytes of the CSR matrix, exactly, before it is built."""
        return nbytes(self.record, working_dtype(self.dtype))

    @overload
    def matrix(
        self,
        format: Literal["csr"] = "csr",
        dtype: Any = None,
        *,
        zeros: Zeros = "keep",
        rows: slice | None = None,
        out: sparse.csr_array[Any] | None = None,
        values_only: bool = False,
    ) -> sparse.csr_array[Any]: ...

    @overload
    def matrix(
        self,
        format: Format,
        dtype: Any = None,
        *,
        zeros: Zeros = "keep",
        rows: slice | None = None,
        out: sparse.csr_array[Any] | None = None,
        values_only: bool = False,
    ) -> Any: ...

    def matrix(
        self,
        format: Format = "csr",
        dtype: Any = None,
        *,
        zeros: Zeros = "keep",
        rows: slice | None = None,
        out: sparse.csr_array[Any] | None = None,
        values_only: bool = False,
    ) -> Any:
        """Return the matrix, rows and columns in C order of `out_shape` and `in_shape`.

        Parameters
        ----------
        format : str
            Any format of `scipy.sparse`: csr, csc, coo, bsr, dia, dok, lil.
        dtype : dtype, optional
            dtype of the values; if not given, the one in which a layer of these weights makes its
            sums, so that ``A.matrix() @ x.ravel()`` is ``A(x)``: float64, float32 and complex
            weights are kept as they are, integers are int64, or uint64 if they are that already.
            An integer dtype must hold the weights exactly; products with a matrix of narrow
            integers, which takes less memory, wrap as NumPy's do. For x of uint64 ask for
            ``dtype="u8"``: NumPy promotes int64 with it to float64.
        zeros : {"keep", "drop"}
            What becomes of weights that are zero. With "keep" the structure depends on the
            geometry alone. With "drop" their entries are never made, which saves time and memory
            where most taps of a window are zero; `count_nonzero` tells how many are left.
        rows : slice, optional
            Build only these rows (step 1), for matrices too large to hold.
        out : scipy.sparse.csr_array, optional
            Overwrite the buffers of this matrix, which must have the shape, nnz and dtypes of
            the result; it is returned.
        values_only : bool
            With `out` a matrix that convmat built on this very geometry: keep its structure and
            write the values of this weight. Refused if its index arrays were replaced since;
            that they were edited in place cannot be noticed.

        Returns
        -------
        scipy.sparse array of `shape`, canonical: columns ascending, no duplicates; zeros are
        stored only where the weight has them, and are kept.

        Raises
        ------
        GeometryError
            Bad argument, or symbolic weights (use `symbolic_matrix`).
        MemoryError
            If the result, or its conversion to `format`, would not fit: found out before
            anything is allocated, but for dia, whose diagonals are counted in the CSR matrix.

        Notes
        -----
        Cost: `nbytes` written once. Of a convolution, ``M[o, i] = weight[k]`` where
        ``i = stride*o + dilation*k - pad`` on every axis.

        Examples
        --------
        >>> import convmat as cm
        >>> cm.conv([[[1, 2, 3]]], in_shape=(1, 5)).matrix().toarray()
        array([[1, 2, 3, 0, 0],
               [0, 1, 2, 3, 0],
               [0, 0, 1, 2, 3]])
        """
        entries = self._entries()
        return csr.build(entries, format, dtype, rows, out, values_only=values_only, zeros=zeros)

    def _assembled(self, working: np.dtype[Any], _wanted: Any, zeros: Zeros) -> Any:
        return csr.build(self._entries(), dtype=working, zeros=zeros)

    def _cost(self) -> str:
        return f"{self.nnz} stored entries, {self.nbytes / 1e6:.3g} MB as CSR"
