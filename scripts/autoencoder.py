"""Train a convolutional autoencoder with NumPy and the transposes of operators alone.

    python scripts/autoencoder.py                          # patches of a photograph
    python scripts/autoencoder.py --decoder nearest        # no switches, no transposed convolution
    python scripts/autoencoder.py --data digits --out run  # needs pip install 'convmat[data]'

The encoder is convolution, rectifier, max pooling, twice. The decoder is its mirror, with weights
of its own: unpooling by the encoder's switches, rectifier, transposed convolution, twice. With
--decoder nearest, nearest upsampling stands for the unpooling and a convolution for the transposed
one: the same number of parameters, but nothing besides the code reaches the decoder. What the
mirror reconstructs is speckled: three in four values of an unpooled image are zero, so a 3 x 3
window meets one to four of the others, here more and there fewer. No automatic differentiation is
involved; where PyTorch is installed the gradients are compared with its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import command_line
import networks
import numpy as np
from rich.console import Console
from rich.progress import Progress

import convmat as cm

Array = np.ndarray[Any, np.dtype[Any]]

CHANNELS = (1, 8, 16)  # of the images, and after each convolution
SMALL = 0.3  # the last layer begins with less, so that reconstructions begin nearly grey
TOLERANCE = 1e-9  # of gradients in double precision, relative to the largest


def usable_threads() -> int:
    """Return the processors that this process may run on, which may be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def photograph_patches(count: int, rng: np.random.Generator, size: int = 32) -> Array:
    """Return patches (count, 1, size, size) of the photograph, from -0.5 to 0.5."""
    (picture,) = networks.grey_photograph()
    places = np.lib.stride_tricks.sliding_window_view(picture, (size, size))
    rows, columns = (rng.integers(0, n, count) for n in places.shape[:2])
    return places[rows, columns][:, None].astype(np.float32) - np.float32(0.5)


def handwritten_digits(rng: np.random.Generator) -> Array:
    """Return scikit-learn's digits (1797, 1, 8, 8) in random order, from -0.5 to 0.5."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise click.UsageError(
            "--data digits needs scikit-learn: pip install 'convmat[data]', or --data photograph"
        ) from None
    images = np.asarray(load_digits().images)[:, None] / 16 - 0.5
    return rng.permutation(images).astype(np.float32)


def build(
    in_shape: Sequence[int],
    decoder: str,
    rng: np.random.Generator,
    channels: Sequence[int] = CHANNELS,
) -> networks.Network:
    """Return encoder and decoder as one network with random weights."""
    shapes = [(out, inner, 3, 3) for inner, out in pairwise(channels)]
    encoder = networks.encoder(
        in_shape, [networks.random_weight(shape, 9 * shape[1], rng) for shape in shapes]
    )
    front = networks.trainable(encoder)
    if decoder == "nearest":
        back = upsampling(encoder[-1].out_shape, shapes, rng)
        return networks.Network([*front, *networks.trainable(back)])
    # Three of four values of an unpooled image are zero, so of 9 taps only 9/4 count.
    own = [networks.random_weight(shape, 9 * shape[0] / 4, rng) for shape in reversed(shapes)]
    own[-1] *= SMALL
    mirrored = cm.mirror(encoder).with_weights(own)
    poolings = [layer for layer in front if isinstance(layer, networks.Pooling)]
    return networks.Network([*front, *networks.trainable(mirrored.layers, poolings)])


def upsampling(
    shape: tuple[int, ...], shapes: Sequence[tuple[int, ...]], rng: np.random.Generator
) -> list[Any]:
    """Return the layers of a decoder that enlarges by nearest upsampling and then convolves."""
    layers: list[Any] = []
    for out, inner, *kernel in reversed(shapes):
        up = cm.upsample(shape, scale_factor=2)
        weight = networks.random_weight((inner, out, *kernel), 9 * out, rng)
        A = cm.conv(weight, up.out_shape, padding="same")
        layers += [up, networks.relu, A]
        shape = A.out_shape
    layers[-1] = layers[-1].with_weight(layers[-1].weight * np.float32(SMALL))
    return layers


def gradient_step(network: networks.Network, x: Array) -> float:
    """Return the squared error of the reconstruction, and leave its gradients in the network."""
    loss, g = networks.squared_error(network.forward(x), x)
    network.backward(g)
    return loss


def check_gradients(network: networks.Network, x: Array, decoder: str) -> float:
    """Return how far gradients are from PyTorch's, in double precision, relative to the largest."""
    import torch_twin

    double, images = network.in_precision(np.float64), x.astype(np.float64)
    gradient_step(double, images)
    expected = torch_twin.gradients(images, double.parameters, decoder)
    pairs = zip(double.gradients, expected, strict=True)
    return max(float(np.abs(own - peer).max() / np.abs(peer).max()) for own, peer in pairs)


def train(
    network: networks.Network, batches: Sequence[Array], epochs: int, rate: float, console: Console
) -> tuple[list[float], float]:
    """Return the loss of every epoch, and the seconds of the fastest."""
    adam = networks.Adam(network.parameters, rate)
    losses, seconds = [], []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("training", total=epochs * len(batches))
        for epoch in range(1, epochs + 1):
            begun, total = time.perf_counter(), 0.0
            for x in batches:
                total += gradient_step(network, x) / len(batches)
                adam.step(network.gradients)
                progress.advance(task)
            losses.append(total)
            seconds.append(time.perf_counter() - begun)
            progress.console.print(f"epoch {epoch:3}   loss {total:.6f}   {seconds[-1]:.2f} s")
    return losses, min(seconds)


def richest(images: Array, count: int) -> Array:
    """Return which images to draw: those of the greatest variance, in their order."""
    return np.sort(np.argsort(-images.var(axis=(1, 2, 3)), kind="stable")[:count])


def draw(x: Array, y: Array, path: Path) -> None:
    """Save images above their reconstructions."""
    pairs = np.stack([x[:, 0], y[:, 0]])
    rows = x.shape[2]
    gap = max(rows // 16, 1)
    framed = np.pad(pairs, [(0, 0), (0, 0), (gap, gap), (gap, gap)], constant_values=0.5)
    # (image or reconstruction, which, row, column): the two come first among the rows.
    sheet = framed.transpose(0, 2, 1, 3).reshape(2 * (rows + 2 * gap), -1)
    title = f"{len(x)} images that were not trained on; below each, its reconstruction"
    figure = cm.plot.strip([np.clip(sheet + 0.5, 0, 1)], [title])
    figure.axes[0].set_xlabel("")  # the size of the sheet is none of an image
    figure.savefig(path)


@click.command()
@click.option("--data", type=click.Choice(["photograph", "digits"]), default="photograph")
@click.option("--decoder", type=click.Choice(["transposed", "nearest"]), default="transposed")
@click.option("--epochs", type=click.IntRange(1), default=10, show_default=True)
@click.option("--samples", type=click.IntRange(8), default=768, show_default=True,
              help="Images at most, one in eight of them kept for testing.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), default=16, show_default=True,
              help="Images a step; each makes weight matrices of 2 MB.")  # fmt: skip
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=0.01, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), show_default=True,
              default=Path("autoencoder"), help="Folder for picture and weights.")  # fmt: skip
def main(
    data: str, decoder: str, epochs: int, samples: int, batch: int, lr: float, seed: int, out: Path
) -> None:
    """Train a convolutional autoencoder with NumPy and transposes alone."""
    console = Console(highlight=False)
    rng = np.random.default_rng(seed)
    images = photograph_patches(samples, rng) if data == "photograph" else handwritten_digits(rng)
    command_line.made(out)
    held = min(samples, len(images)) // 8
    tested, trained = images[:held], images[held:samples]
    batches = [trained[at : at + batch] for at in range(0, len(trained), batch)]
    network = build(images.shape[1:], decoder, rng)
    console.print(f"{len(trained)} images {images.shape[1:]}; {decoder} decoder; it learns:")
    for weight, bias in pairwise(network.parameters):
        if bias.ndim == 1:
            console.print(f"  {weight.size:5} weights {weight.shape}, {bias.size:2} biases")
    console.print(f"  {sum(array.size for array in network.parameters):5} parameters in all")

    twin = find_spec("torch") is not None
    start = [array.copy() for array in network.parameters]
    if twin:
        deviation = check_gradients(network, batches[0], decoder)
        console.print(f"gradients of step 1 differ from PyTorch's by at most {deviation:.1e}")
        if not deviation < TOLERANCE:
            raise click.ClickException(f"gradients differ by {deviation:.1e} > {TOLERANCE}")
    else:
        console.print("PyTorch is not installed: gradients and times are not compared with its own")
    losses, seconds = train(network, batches, epochs, lr, console)
    threads = usable_threads()
    console.print(
        f"fastest epoch: {seconds:.2f} s with convmat: NumPy's dense products on up to {threads} "
        "threads, all else on one"
    )
    if twin:
        import torch_twin

        peer = torch_twin.seconds_per_epoch(batches, start, decoder, lr, threads)
        console.print(
            f"fastest epoch: {peer:.2f} s with PyTorch on {threads} threads, same network and "
            "batches"
        )

    y = network.forward(tested)
    error = networks.squared_error(y, tested)[0]
    mean = np.broadcast_to(trained.mean(axis=0), tested.shape)
    guess = networks.squared_error(mean, tested)[0]
    console.print(
        f"mean squared error on {held} images not seen in training: {error:.4f}; always answering "
        f"with the mean image: {guess:.4f}"
    )
    shown = richest(tested, 8)
    draw(tested[shown], y[shown], out / f"{data}-{decoder}.png")
    names = [f"{kind}{n}" for n in range(1, 5) for kind in ("weight", "bias")]
    arrays: dict[str, Any] = dict(zip(names, network.parameters, strict=True))
    np.savez(out / f"{data}-{decoder}.npz", **arrays)
    console.print(f"saved in {out}: {data}-{decoder}.png and .npz")
    if not losses[-1] < losses[0] and epochs > 1:
        raise click.ClickException("the loss has not fallen: try a smaller --lr")


if __name__ == "__main__":
    command_line.run(partial(main.main, standalone_mode=False))
