"""The mirror of an encoder: for every layer the one that leads back, sizes included."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from convmat.geometry.arguments import GeometryError
from convmat.geometry.arrays import from_numpy, to_numpy
from convmat.geometry.axis_map import AxisMap
from convmat.layers.average_pooling import AveragePool
from convmat.layers.max_pooling import MaxPool, unpool
from convmat.layers.rearranging import Padding
from convmat.operator import KroneckerOperator, LayerOperator, Operator, Product

__all__ = ["Decoder", "MaxUnpool", "mirror"]

Array = np.ndarray[Any, np.dtype[Any]]

# PyTorch's modules that act on each number by itself, besides those of `nn.modules.activation`...
KEEPING = ("Identity", "Dropout")
# ... of which these do not.
MIXING = ("GLU", "MultiheadAttention")
CONVERT = (
    "convert each module: cm.conv(module.weight.detach(), in_shape, stride=module.stride, "
    "padding=module.padding), cm.max_pool(in_shape, module.kernel_size), in a list"
)
PROBE = (1, 2, 2)  # shape of zeros that an activation is tried on
# What constructors of layers in frameworks leave behind, and activations do not have.
FRAMEWORK_LAYER = ("kernel_size", "in_features", "scale_factor", "upscale_factor", "num_features")


class MaxUnpool:
    """The mirror of a max pooling: values return to where they won, all else is zero.

    Which positions those are is known only when the switches are.

    Attributes
    ----------
    in_shape, out_shape : tuple of int
        (C, *spatial) of what was the output and the input of the pooling.
    """

    def __init__(self, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> None:
        self.in_shape, self.out_shape = in_shape, out_shape

    def __call__(self, y: Any, switches: Any) -> Any:
        """Put y (*batch, *in_shape) back by switches of the same shape.

        Where windows share a winner one of their values is assigned, as frameworks do; the
        transpose of the selection would add them.
        """
        values, positions = to_numpy(y, "y"), to_numpy(switches, "switches")
        ndim = len(self.in_shape)
        if values.shape[-ndim:] != self.in_shape:
            raise GeometryError("y", values.shape, f"must end in {self.in_shape}", "reshape it")
        if positions.shape != values.shape:
            raise GeometryError(
                "switches",
                positions.shape,
                f"must have the shape {values.shape} of what is put back, batch included",
                "pass the switches that this very pooling gave for this batch",
            )
        batch = values.shape[:-ndim]
        planes = math.prod(batch) * self.in_shape[0]  # samples and channels do not mix
        if planes == 0:
            return from_numpy(np.zeros((*batch, *self.out_shape), values.dtype), like=y)
        operator = unpool(
            (planes, *self.out_shape[1:]), positions.reshape(planes, *self.in_shape[1:])
        )
        whole = operator(values.reshape(operator.in_shape))
        return from_numpy(whole.reshape(*batch, *self.out_shape), like=y)

    def __repr__(self) -> str:
        return f"<unpool, with the encoder's switches: {self.in_shape} -> {self.out_shape}>"


class Decoder:
    """The layers that lead from a code back to the size of the input; made by `mirror`.

    Attributes
    ----------
    layers : tuple
        One for each layer of the encoder, in decoding order: operators, `MaxUnpool`, and
        activations as they were given.
    in_shape, out_shape : tuple of int
        (C, *spatial) of the code and of the reconstruction.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        self.layers = tuple(layers)
        sized = [layer for layer in self.layers if hasattr(layer, "in_shape")]
        self.in_shape: tuple[int, ...] = sized[0].in_shape
        self.out_shape: tuple[int, ...] = sized[-1].out_shape

    def __call__(self, code: Any, switches: Sequence[Any] = ()) -> Any:
        """Decode.

        Parameters
        ----------
        code : array (*batch, *in_shape)
        switches : sequence of arrays
            Of every max pooling, in the order of the encoder.

        Returns
        -------
        array (*batch, *out_shape), of the kind that `code` is.

        Raises
        ------
        GeometryError
            An array of another shape, missing or extra switches, or an activation that changes
            the shape.
        """
        shape = to_numpy(code, "code").shape
        if shape[-len(self.in_shape) :] != self.in_shape:
            raise GeometryError(
                "code", shape, f"must have shape (*batch, *{self.in_shape})", "check the encoder"
            )
        left = self._checked(switches)
        for layer in self.layers:
            before = code.shape if hasattr(code, "shape") else shape
            # The last pooling is undone first.
            code = layer(code, left.pop()) if isinstance(layer, MaxUnpool) else layer(code)
            if not hasattr(layer, "in_shape") and np.shape(code) != tuple(before):
                raise GeometryError(
                    "encoder",
                    layer,
                    f"made {np.shape(code)} of {tuple(before)}, but must keep the shape",
                    "use a function that acts on each number by itself",
                )
        return code

    def with_weights(self, weights: Sequence[Any]) -> Decoder:
        """Return this decoder with weights of its own, instead of the encoder's.

        Parameters
        ----------
        weights : sequence of arrays
            One for each convolution, in decoding order, of the shape of the encoder's weight.

        Raises
        ------
        GeometryError
            Another number of weights, or a weight of another shape.
        """
        count = sum(_weighted(layer) for layer in self.layers)
        if isinstance(weights, str) or not hasattr(weights, "__len__") or len(weights) != count:
            raise GeometryError(
                "weights",
                weights,
                f"must be one for each of the {count} convolutions",
                "pass a list in decoding order",
            )
        own = iter(weights)
        return Decoder(
            [_with_weight(layer, next(own)) if _weighted(layer) else layer for layer in self.layers]
        )

    def _checked(self, switches: Any) -> list[Any]:
        count = sum(isinstance(layer, MaxUnpool) for layer in self.layers)
        if not isinstance(switches, (list, tuple)):
            raise GeometryError(
                "switches",
                type(switches).__name__,
                f"must be a list of {count} arrays, one for each max pooling",
                "write [switches] for one",
            )
        if len(switches) != count:
            raise GeometryError(
                "switches",
                len(switches),
                f"must be one array for each of the encoder's {count} max poolings",
                "call decoder(code, [switches]), with those of the encoder in its order",
            )
        return list(switches)

    def __repr__(self) -> str:
        rows = [_row(layer) for layer in self.layers]
        width = max(len(sizes) for sizes, _ in rows)
        return "\n".join(f"{sizes:{width}}  {name}" for sizes, name in rows)


def mirror(encoder: Sequence[Any]) -> Decoder:
    """Return the decoder whose layers undo the sizes of an encoder, one by one.

    A convolution is answered by the transposed convolution with the same weight, `output_padding`
    solved for, and with the same `padding_mode`; a padding by its transpose; a max pooling by
    unpooling with its switches; an average pooling by giving every average to the whole of its
    window; an activation by itself.

    Parameters
    ----------
    encoder : sequence
        Made layers whose shapes chain: convolutions (`conv`, `conv_transpose`), `pad`,
        `max_pool`, `avg_pool`, `adaptive_avg_pool`, and activations, which are callables without
        `in_shape` that keep the shape of arrays. Of PyTorch's modules those of
        ``torch.nn.modules.activation``, Identity and Dropout are taken.

    Returns
    -------
    Decoder

    Raises
    ------
    GeometryError
        Shapes that do not chain, or a layer that has no mirror here: an upsampling, a product of
        other operators than a convolution and its padding, a layer of a framework.

    Notes
    -----
    A mirror inverts sizes, not values: the transpose A.T of a convolution is its inverse only
    where A is orthogonal. The mirror of an average pooling is its transpose with all weights 1;
    where every window has the divisor ``prod(kernel_size)`` this is ``prod(kernel_size) * A.T``,
    and where windows tile the input it is nearest upsampling. Making the decoder costs O(1)
    memory for each convolution and pooling, and a copy of the axis records for each average.

    References
    ----------
    Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014, section 2.1.

    Examples
    --------
    >>> import numpy as np
    >>> import convmat as cm
    >>> first = cm.conv(np.ones((4, 1, 3, 3)), (1, 28, 28), stride=2, padding=1)
    >>> pool = cm.max_pool(first.out_shape, 2)
    >>> decoder = cm.mirror([first, np.abs, pool])
    >>> decoder
    (4, 7, 7) -> (4, 14, 14)    unpool, with the encoder's switches
                                absolute
    (4, 14, 14) -> (1, 28, 28)  conv_transpose, kernel (3, 3), stride 2, padding 1, output_padding 1
    >>> code, switches = pool(np.abs(first(np.ones((1, 28, 28)))))
    >>> decoder(code, [switches]).shape
    (1, 28, 28)
    """
    if not isinstance(encoder, (list, tuple)) or not encoder:
        raise GeometryError(
            "encoder",
            encoder,
            "must be a list of at least one layer",
            CONVERT if _of_torch(encoder) else "pass the layers in order",
        )
    before: Any = None
    for number, layer in enumerate(encoder):
        if not hasattr(layer, "in_shape"):
            _check_activation(number, layer)
            continue
        if before is not None and before.out_shape != layer.in_shape:
            raise GeometryError(
                f"encoder[{number}]",
                layer,
                f"takes {layer.in_shape} but the layer before it gives {before.out_shape}",
                "make the two shapes equal",
            )
        before = layer
    if before is None:
        raise GeometryError(
            "encoder", encoder, "holds activations alone, which have no sizes", "add a layer"
        )
    return Decoder([_mirrored(n, layer) for n, layer in reversed(list(enumerate(encoder)))])


def _check_activation(number: int, layer: Any) -> None:
    home = str(getattr(layer, "__module__", ""))
    made = callable(layer) and not isinstance(layer, type) and not home.startswith("convmat")
    if _of_torch(layer):
        made = _keeps_places(layer)
    if not made or any(hasattr(layer, word) for word in FRAMEWORK_LAYER):
        raise GeometryError(
            f"encoder[{number}]",
            layer,
            "is neither a layer with an in_shape nor an activation",
            CONVERT
            if _of_torch(layer)
            else "make layers with cm.conv, cm.max_pool or cm.avg_pool and their arguments",
        )
    try:
        changed = np.shape(layer(np.zeros(PROBE)))
    except Exception:  # noqa: BLE001, it may take another kind of array, or only real data
        return
    if changed != PROBE:
        raise GeometryError(
            f"encoder[{number}]",
            layer,
            f"made shape {changed} of an array of shape {PROBE}, so it is no activation",
            "use functions that act on each number by itself",
        )


def _of_torch(layer: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(layer, torch.nn.Module)


def _keeps_places(module: Any) -> bool:
    """Say whether a module of PyTorch is an activation; of others, whether it has no parts."""
    kind = type(module)
    if kind.__module__.split(".")[0] != "torch":
        return not any(True for _ in module.children()) and not any(
            True for _ in module.parameters()
        )
    activation = kind.__module__ == "torch.nn.modules.activation" and kind.__name__ not in MIXING
    return activation or kind.__name__ in KEEPING


def _padded(layer: Any) -> bool:
    """Say whether a layer is a convolution after a padding, or the transpose of one."""
    if not isinstance(layer, Product):
        return False
    pair = layer.outer, layer.inner
    kinds = tuple(isinstance(part, LayerOperator) for part in pair)
    return kinds in ((True, False), (False, True)) and any(
        isinstance(part, Padding) for part in pair
    )


def _weighted(layer: Any) -> bool:
    return isinstance(layer, LayerOperator) or _padded(layer)


def _with_weight(layer: Any, weight: Any) -> Any:
    """Return a convolution with another weight, padded as it was."""
    if isinstance(layer, Product):
        return Product(_with_weight(layer.outer, weight), _with_weight(layer.inner, weight))
    return layer.with_weight(weight) if isinstance(layer, LayerOperator) else layer


def _mirrored(number: int, layer: Any) -> Any:
    """Return what leads back from the output of a layer to its input."""
    if not hasattr(layer, "in_shape"):
        return layer
    if isinstance(layer, (LayerOperator, Padding)) or _padded(layer):
        return layer.T
    if isinstance(layer, MaxPool):
        return MaxUnpool(layer.out_shape, layer.in_shape)
    if isinstance(layer, AveragePool):
        return _spreading(layer)
    raise GeometryError(
        f"encoder[{number}]",
        layer,
        "has no mirror",
        "use convolutions, pad, max_pool, avg_pool, adaptive_avg_pool and activations"
        + ("; give the factors of a product one by one" if isinstance(layer, Product) else ""),
    )


def _spreading(layer: AveragePool) -> KroneckerOperator:
    """Return the transpose of an average with all weights 1: copies where windows tile."""
    record = replace(layer.record, maps=tuple(_ones(part) for part in layer.record.maps))
    names = f"copies to windows, mirror of {layer.names[0]}", f"sums of windows of {layer.names[0]}"
    return KroneckerOperator(record.transpose(), names)


def _ones(part: AxisMap) -> AxisMap:
    ones = np.ones(part.nnz, np.int64)
    return AxisMap(part.n_in, part.begin, part.inputs, ones, ones)


def _row(layer: Any) -> tuple[str, str]:
    """Return the sizes and the name of a layer for the table."""
    if not hasattr(layer, "in_shape"):
        return "", str(getattr(layer, "__name__", repr(layer)))
    name = "unpool, with the encoder's switches"
    if isinstance(layer, Product):
        name = f"{layer.inner._name()}, then {layer.outer._name()}"
    elif isinstance(layer, Operator):
        name = layer._name()
    return f"{layer.in_shape} -> {layer.out_shape}", name
