"""Neural networks of linear operators, without automatic differentiation.

What autoencoder.py and deconvnet.py share. Each layer maps arrays (batch, C, H, W) forwards and
gradients backwards, and every backward step is a transpose:

    convolution   y = A x + b    input gradient  Aᵀ g
                                 weight gradient Uᵀ g,  where U(x) w = A(w) x
                                 bias gradient   the sum of g
    max pooling   y = S x        input gradient  Sᵀ g
    unpooling     y = P x        input gradient  Pᵀ g
    rectifier     y = D x        input gradient  D g,   D diagonal with entries 0 and 1
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib import cbook, image

import convmat as cm

Array = np.ndarray[Any, np.dtype[Any]]

LUMA = np.array([0.299, 0.587, 0.114])  # of red, green, blue: ITU-R BT.601


def relu(x: Array) -> Array:
    """Return x where it is positive, else 0."""
    return np.asarray(np.maximum(x, 0))


def grey_photograph() -> Array:
    """Return the portrait that Matplotlib ships as (1, 600, 512), from 0 to 1."""
    path = str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    grey: Array = (image.imread(path) / 255.0) @ LUMA
    return grey[None]


def encoder(
    in_shape: Sequence[int], weights: Sequence[Array], pool_size: int = 2, pool_stride: int = 2
) -> list[Any]:
    """Return a convolution of unchanged size, a rectifier and a max pooling for each weight."""
    shape, layers = tuple(in_shape), []
    for weight in weights:
        A = cm.conv(weight, shape, padding="same")
        pool = cm.max_pool(A.out_shape, pool_size, stride=pool_stride)
        layers += [A, relu, pool]
        shape = pool.out_shape
    return layers


def random_weight(shape: Sequence[int], inputs: float, rng: np.random.Generator) -> Array:
    """Return normal numbers whose sums over so many inputs keep the size of what is summed."""
    return np.asarray(rng.normal(size=shape) * np.sqrt(2 / inputs), np.float32)


class Layer:
    """A layer: `parameters` are changed in place by training, `gradients` belong to them."""

    parameters: Sequence[Array] = ()
    gradients: Sequence[Array] = ()

    def forward(self, x: Array) -> Array:
        """Return what the layer makes of x, and keep what `backward` will need."""
        raise NotImplementedError

    def backward(self, g: Array) -> Array:
        """Return the gradient with respect to x from that with respect to `forward(x)`."""
        raise NotImplementedError


class Convolution(Layer):
    """A convolution or transposed convolution with bias: linear in x, and in the weight."""

    def __init__(self, operator: Any, bias: Array | None = None) -> None:
        self.operator = operator
        zeros = np.zeros(operator.out_shape[0], operator.dtype)
        self.parameters = [operator.weight.copy(), zeros if bias is None else bias.copy()]

    def forward(self, x: Array) -> Array:
        """Return A x + b; the bias alone keeps the layer from being linear."""
        weight, bias = self.parameters
        self.x, self.A = x, self.operator.with_weight(weight)
        return np.asarray(self.A(x) + bias[:, None, None])

    def backward(self, g: Array) -> Array:
        """Return Aᵀ g. U has as many entries as A, for every sample of the batch."""
        U = self.A.weight_matrix(self.x)
        self.gradients = [(U.T @ g.ravel()).reshape(self.A.weight.shape), g.sum(axis=(0, 2, 3))]
        return np.asarray(self.A.T(g))


class Rectifier(Layer):
    """A diagonal matrix of zeros and ones, which x chooses."""

    def forward(self, x: Array) -> Array:
        """Return x where it is positive."""
        self.mask = x > 0
        return np.where(self.mask, x, 0)

    def backward(self, g: Array) -> Array:
        """Return g where x was positive."""
        return np.where(self.mask, g, 0)


class Fixed(Layer):
    """An operator without parameters, such as an upsampling."""

    def __init__(self, operator: Any) -> None:
        self.operator = operator

    def forward(self, x: Array) -> Array:
        """Apply the operator."""
        return np.asarray(self.operator(x))

    def backward(self, g: Array) -> Array:
        """Apply its transpose."""
        return np.asarray(self.operator.T(g))


class Pooling(Layer):
    """Max pooling: once the switches are known, a selection matrix S."""

    def __init__(self, pool: Any) -> None:
        self.pool = pool

    def forward(self, x: Array) -> Array:
        """Return the maxima, and remember where they were."""
        y, switches = self.pool(x)
        self.switches = np.asarray(switches)
        return np.asarray(y)

    def backward(self, g: Array) -> Array:
        """Return Sᵀ g: where windows share a winner their gradients add up."""
        S = cm.selection(self._planes(), _flat(self.switches))
        return np.asarray(S.T(_flat(g))).reshape(len(g), *self.pool.in_shape)

    def _planes(self) -> tuple[int, ...]:
        """Return the shape of the inputs of a whole batch, its samples side by side."""
        channels, *spatial = self.pool.in_shape
        return (len(self.switches) * channels, *spatial)


class Unpooling(Pooling):
    """Max unpooling with the switches of a pooling: values return to where they won."""

    def __init__(self, partner: Pooling) -> None:
        super().__init__(partner.pool)
        self.partner = partner

    def forward(self, x: Array) -> Array:
        """Return P x: where windows share a winner, one of the values is assigned."""
        self.switches = self.partner.switches
        self.P = cm.unpool(self._planes(), _flat(self.switches))
        return np.asarray(self.P(_flat(x))).reshape(len(x), *self.pool.in_shape)

    def backward(self, g: Array) -> Array:
        """Return Pᵀ g, which is S g where no winner is shared."""
        return np.asarray(self.P.T(_flat(g))).reshape(self.switches.shape)


def _flat(x: Array) -> Array:
    """Return (batch, C, H, W) as (batch * C, H, W): samples and channels do not mix here."""
    return x.reshape(-1, *x.shape[2:])


class Network(Layer):
    """Layers one after the other."""

    def __init__(self, layers: Iterable[Layer]) -> None:
        self.layers = list(layers)
        self.parameters = [array for layer in self.layers for array in layer.parameters]

    def in_precision(self, dtype: Any) -> Network:
        """Return a copy whose parameters have another dtype."""
        layers = copy.deepcopy(self.layers)
        for layer in layers:
            layer.parameters = [array.astype(dtype) for array in layer.parameters]
        return Network(layers)

    def forward(self, x: Array) -> Array:
        """Apply every layer."""
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, g: Array) -> Array:
        """Apply every transpose, in reverse order."""
        for layer in reversed(self.layers):
            g = layer.backward(g)
        self.gradients = [array for layer in self.layers for array in layer.gradients]
        return g


def trainable(layers: Iterable[Any], poolings: Sequence[Pooling] = ()) -> list[Layer]:
    """Return layers of `encoder`, or of its mirror, as layers of a network.

    A mirror is given the poolings of its encoder, which it meets in reverse.
    """
    made: list[Layer] = []
    left = list(poolings)
    for layer in layers:
        if layer is relu:
            made.append(Rectifier())
        elif hasattr(layer, "with_weight"):
            made.append(Convolution(layer))
        elif hasattr(layer, "T"):
            made.append(Fixed(layer))
        else:  # a max pooling or its mirror: no operators until the switches are known
            made.append(Unpooling(left.pop()) if left else Pooling(layer))
    return made


def squared_error(y: Array, target: Array) -> tuple[float, Array]:
    """Return the mean squared error and its gradient with respect to y."""
    difference = y - target
    return float(np.mean(difference**2)), difference * y.dtype.type(2 / y.size)


class Adam:
    """Gradient descent whose step in every number has a size of about `rate`.

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.
    """

    def __init__(self, parameters: Sequence[Array], rate: float) -> None:
        self.parameters, self.rate, self.steps = parameters, rate, 0
        self.means = [np.zeros_like(array) for array in parameters]
        self.squares = [np.zeros_like(array) for array in parameters]

    def step(self, gradients: Sequence[Array]) -> None:
        """Change the parameters in place."""
        self.steps += 1
        first, second = 1 - 0.9**self.steps, 1 - 0.999**self.steps  # averages begin at zero
        for n, gradient in enumerate(gradients):
            mean, square = self.means[n], self.squares[n]
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient**2 - square)
            self.parameters[n][...] -= (
                self.rate * (mean / first) / (np.sqrt(square / second) + 1e-8)
            )
