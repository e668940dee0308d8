"""Send one feature of a small network back to the pixels that excite it.

    python scripts/deconvnet.py                       # the strongest feature, on a photograph
    python scripts/deconvnet.py --feature 5 --pool-size 3
    python scripts/deconvnet.py --masks backward      # project by the gradient instead
    python scripts/deconvnet.py --weights autoencoder/photograph-transposed.npz

After Zeiler and Fergus, "Visualizing and understanding convolutional networks", 2014. Forwards go
convolution, rectifier, max pooling, twice. Backwards goes the mirror of it: unpooling by the
switches, rectifier, transposed filters, twice, from a map that is zero but for one feature. It
differs from the gradient of that feature in two steps only:

    rectifier   the deconvnet sets negative numbers on their way back to zero; the gradient sets
                those to zero whose numbers on the way forward were negative
    unpooling   the deconvnet assigns (unpool), the gradient adds (the selection's transpose);
                the two agree if no input wins in two windows, as with --pool-size 2
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import click
import command_line
import networks
import numpy as np

import convmat as cm

Array = np.ndarray[Any, np.dtype[Any]]

TOLERANCE = 1e-9  # in double precision, relative to the largest number


def gabor_filters(count: int = 8, size: int = 7) -> Array:
    """Return edge and line detectors (count, 1, size, size) of mean zero, at several angles."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    filters = []
    for angle in np.pi * np.arange(count) / count:
        across = x * np.cos(angle) + y * np.sin(angle)
        wave = np.sin(2 * np.pi * across / size) * np.exp(-(x**2 + y**2) / (size / 2) ** 2)
        filters.append(wave / np.abs(wave).sum())
    return np.array(filters)[:, None]


def parameters(path: Path | None, rng: np.random.Generator) -> list[Array]:
    """Return weight, bias, weight, bias: from a file of autoencoder.py, or filters by formula."""
    if path is None:
        first = gabor_filters()
        second = rng.normal(size=(12, len(first), 5, 5)) / np.sqrt(25 * len(first))
        return [first, np.zeros(len(first)), second, np.zeros(len(second))]
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = [file[name] for name in ("weight1", "bias1", "weight2", "bias2")]
        fits = all(w.ndim == 4 and w.shape[:1] == b.shape for w, b in (arrays[:2], arrays[2:]))
    except (OSError, EOFError, BadZipFile, ValueError, KeyError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise click.UsageError(f"{path} holds no weights of autoencoder.py")
    return [array.astype(np.float64) for array in arrays]


def strongest(features: Array, channel: int | None) -> tuple[int, ...]:
    """Return the place (channel, row, column) of the greatest number, in one channel if given."""
    among = features if channel is None else features[channel : channel + 1]
    place = np.unravel_index(int(np.argmax(among)), among.shape)
    return (int(place[0]) + (channel or 0), int(place[1]), int(place[2]))


def project(encoder: Sequence[Any], network: networks.Network, code: Array, masks: str) -> Array:
    """Return what the mirror of the encoder makes of a code (1, C, H, W), in pixels.

    The network must have seen the picture: its rectifiers hold the masks, its poolings the
    switches.
    """
    decoder = cm.mirror(encoder)
    if masks == "deconvnet":
        switches = [layer.switches for layer in network.layers if hasattr(layer, "switches")]
        return np.asarray(decoder(code, switches))
    for layer, forward in zip(decoder.layers, reversed(network.layers), strict=True):
        # Transposed filters as before, but masks and selections of the forward pass.
        code = layer(code) if hasattr(layer, "T") else forward.backward(code)
    return code


def shared_winners(network: networks.Network) -> list[int]:
    """Return for each pooling how many inputs win in more than one window."""
    poolings = [layer for layer in network.layers if isinstance(layer, networks.Pooling)]
    return [int((pool.backward(np.ones(pool.switches.shape)) > 1).sum()) for pool in poolings]


def deviations(network: networks.Network, x: Array, g: Array, gradient: Array) -> dict[str, float]:
    """Compare the gradient of sum(g * network(x)) with other ways to it, relative to its size.

    The network is linear around x, so central differences are exact but for rounding, unless a
    step is so long that it crosses a kink. Hence the short step, and hence their lesser digits.
    """
    rng = np.random.default_rng(0)
    size = float(np.abs(gradient).max())
    direction = gradient / size + 0.1 * rng.normal(size=x.shape)
    step = 1e-7
    ahead, behind = (network.forward(x + sign * step * direction) for sign in (1, -1))
    slope, expected = float(np.sum(g * (ahead - behind)) / (2 * step)), np.sum(gradient * direction)
    found = {"central differences": float(abs(slope - expected) / abs(expected))}
    network.forward(x)
    if find_spec("torch") is not None:
        found["PyTorch's autograd"] = float(np.abs(autograd(network, x, g) - gradient).max() / size)
    return found


def autograd(network: networks.Network, x: Array, g: Array) -> Array:
    """Return the gradient as PyTorch finds it."""
    import torch
    import torch.nn.functional as F  # noqa: N812, as its users write it

    image = torch.tensor(x, requires_grad=True)
    y = image
    for layer in network.layers:
        if isinstance(layer, networks.Convolution):
            weight, bias = map(torch.tensor, layer.parameters)
            y = F.conv2d(y, weight, bias, padding="same")
        elif isinstance(layer, networks.Pooling):
            rows = layer.pool.axes[0]
            y = F.max_pool2d(y, rows.kernel, rows.stride)
        else:
            y = F.relu(y)
    (gradient,) = torch.autograd.grad((y * torch.tensor(g)).sum(), image)
    return np.asarray(gradient)


def draw(x: Array, features: Array, place: tuple[int, ...], seen: list[Array], path: Path) -> None:
    """Save the picture, the map of the feature, and what was seen, around where it is not zero."""
    rows, columns = np.nonzero(np.abs(seen).max(axis=0))
    window = tuple(slice(max(at.min() - 8, 0), at.max() + 9) for at in (rows, columns))
    titles = ["picture", f"feature {place[0]}", "the picture there", "deconvnet", "gradient"]
    images = [x, features[place[0]], x[window], *(image[window] for image in seen)]
    figure = cm.plot.strip(images, titles)
    figure.axes[1].plot(place[2], place[1], "o", mfc="none", mec="#D55E00", ms=12)
    figure.savefig(path)


@click.command()
@click.option("--feature", type=click.IntRange(0), help="Channel; that of the strongest number.")
@click.option("--masks", type=click.Choice(["deconvnet", "backward"]), default="deconvnet",
              show_default=True, help="Rectify the way back, or mask it.")  # fmt: skip
@click.option("--pool-size", type=click.IntRange(2, 4), default=2, show_default=True,
              help="Of windows at stride 2: they overlap from 3.")  # fmt: skip
@click.option("--weights", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A .npz file of autoencoder.py; else edge detectors.")  # fmt: skip
@click.option("--reduce", type=click.IntRange(2, 32), default=4, show_default=True,
              help="Average the photograph over squares of so many pixels.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), show_default=True,
              default=Path("deconvnet.png"))  # fmt: skip
def main(
    feature: int | None,
    masks: str,
    pool_size: int,
    weights: Path | None,
    reduce: int,
    seed: int,
    out: Path,
) -> None:
    """Send one feature of a small network back to the pixels that excite it."""
    photograph = networks.grey_photograph()
    x = cm.avg_pool(photograph.shape, reduce)(photograph)[None] - 0.5
    first, first_bias, second, second_bias = parameters(weights, np.random.default_rng(seed))
    try:
        encoder = networks.encoder(x.shape[1:], [first, second], pool_size)
    except cm.GeometryError as error:
        raise click.UsageError(str(error)) from None
    network = networks.Network(networks.trainable(encoder))
    network.layers[0].parameters = [first, first_bias]
    network.layers[3].parameters = [second, second_bias]
    (features,) = network.forward(x)
    if feature is not None and feature >= len(features):
        raise click.UsageError(f"--feature {feature}: there are {len(features)}, from 0")
    place = strongest(features, feature)
    if not features[place] > 0:
        raise click.UsageError(f"feature {place[0]} is zero everywhere on this picture")
    click.echo(f"feature {place[0]} is {features[place]:.4g} at row {place[1]}, column {place[2]}")
    click.echo(f"its way back:\n{cm.mirror(encoder)}")
    click.echo(f"inputs that win in two windows, per pooling: {shared_winners(network)}")

    code = np.zeros((1, *features.shape))
    code[(0, *place)] = 1.0
    deconvnet = project(encoder, network, code, "deconvnet")
    gradient = network.backward(code)
    chosen = deconvnet if masks == "deconvnet" else project(encoder, network, code, masks)
    size = float(np.abs(gradient).max())
    if not deconvnet.any():  # assigning loses numbers, adding does not
        click.echo("the deconvnet lost it: a window that shares its winner assigned a zero after")
    click.echo(f"projection with {masks} masks, beside the gradient of the feature:")
    click.echo(f"  largest difference {np.abs(chosen - gradient).max() / size:.2e} of its size")
    click.echo(f"  cosine {np.vdot(chosen, gradient) / norms(chosen, gradient):.6f}")
    if masks == "deconvnet":
        click.echo(
            "  they are meant to differ: the deconvnet sets to zero what is negative on the way "
            "back,\n  the gradient what was negative on the way forward (see --masks backward)"
        )
    if masks == "backward":
        found = {"backpropagation": float(np.abs(chosen - gradient).max() / size)}
        found |= deviations(network, x, code, chosen)
        for name, deviation in found.items():
            click.echo(f"  differs from {name} by {deviation:.1e}")
            if not deviation < (1e-5 if name == "central differences" else TOLERANCE):
                raise click.ClickException(f"this is not the gradient, says {name}")
        click.echo("  it is the gradient")
    draw(x[0, 0] + 0.5, features, place, [deconvnet[0, 0], gradient[0, 0]], out)
    click.echo(f"saved as {out}")


def norms(a: Array, b: Array) -> float:
    """Return the product of two lengths, never zero."""
    return float(np.linalg.norm(a) * np.linalg.norm(b)) or 1.0


if __name__ == "__main__":
    command_line.run(partial(main.main, standalone_mode=False))
