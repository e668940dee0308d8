"""The scripts that users run, as they run them."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image
from scipy import sparse

import convmat as cm

FOLDER = Path(__file__).parent.parent / "scripts"
SCRIPTS = (
    "generate_matrix",
    "make_figures",
    "plot_sparsity",
    "upsampling_vs_transposed",
    "verify_formulas",
)
LONGER = ("autoencoder", "deconvnet", "networks", "torch_twin")


def run(script, *arguments, code=0):
    ran = subprocess.run(
        [sys.executable, "-W", "error", FOLDER / f"{script}.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran.stdout if code == 0 else ran.stderr


def test_generate_matrix_prints_and_saves(tmp_path):
    options = ("--size", 5, "--kernel-size", 2, "--stride", 3)
    assert "[[1. 2. 0. 0. 0.]" in run("generate_matrix", *options)
    path = tmp_path / "m.npz"
    options = ("--size", 6, 7, "--channels", 2, 3, "--padding", 1, "--dilation", 2, "--transposed")
    run("generate_matrix", *options, "--output", path)
    weight = np.arange(1.0, 55).reshape(3, 2, 3, 3)
    expected = cm.conv(weight, (2, 6, 7), padding=1, dilation=2).T
    assert (sparse.load_npz(path) != expected.matrix()).nnz == 0
    assert "kernel = 3: the window spans 3" in run("generate_matrix", "--size", 2, code=2)


def test_plot_sparsity_draws(tmp_path):
    names = [tmp_path / f"{name}.png" for name in ("pair", "arithmetic", "overlap")]
    run(
        "plot_sparsity", "--size", 6, "--stride", 2, "--output", names[0],
        "--arithmetic", names[1], "--overlap", names[2],
    )  # fmt: skip
    for name in names:
        with Image.open(name) as drawn:
            assert np.asarray(drawn.convert("L")).std() > 5, "not an empty page"


def test_verify_formulas_holds_and_notices_a_wrong_formula(monkeypatch, capsys):
    table = run("verify_formulas", "--largest", 4)
    assert table.count("holds") == 5
    assert "FALSE" not in table
    monkeypatch.syspath_prepend(str(FOLDER))
    import verify_formulas

    right = cm.output_size
    monkeypatch.setattr(cm, "output_size", lambda n, k, s, p, d: right(n, k, s, p, d) + 1)
    assert verify_formulas.main(["--largest", "3"]) == 1
    assert capsys.readouterr().out.count("FALSE") == 2


def test_upsampling_vs_transposed_answers(tmp_path):
    path = tmp_path / "grey.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20), np.uint8)).save(path)
    page = tmp_path / "answer.html"
    told = run("upsampling_vs_transposed", "--image", path, "--output", page)
    *verdicts, _, question, reasons = told.splitlines()
    assert len(verdicts) == len(cm.answer.QUESTIONS)
    assert verdicts[0].startswith("holds   ")
    assert verdicts[1].startswith("holds except at the boundary  Bilinear")
    assert verdicts[2].startswith("does not hold   ")
    assert question == cm.answer.QUESTION
    assert reasons.startswith("No. Nearest upsampling is one particular")
    assert page.read_text(encoding="utf-8").count("data:image/png") == len(verdicts)
    layers = ("pad:reflect,1", "pad:replicate,1")
    told = run("upsampling_vs_transposed", "--compare", *layers, "--size", 1, 4, code=1)
    assert told == ""  # nothing on standard error: different is an answer
    told = run("upsampling_vs_transposed", "--compare", layers[0], layers[0])
    assert told.startswith("equal, for all inputs of shape (1, 8, 8)")
    layers = ("pad:mirror,1", "identity")
    assert "mode" in run("upsampling_vs_transposed", "--compare", *layers, code=2)


@pytest.mark.parametrize("name", ["matrices", "photograph", "convolution", "transposed", "overlap"])
def test_figures_are_those_of_the_pages(name, figures):
    with Image.open(figures / f"{name}.png") as drawn, Image.open(IMAGES / f"{name}.png") as kept:
        # Other versions of Matplotlib place glyphs a little otherwise.
        small = (drawn.convert("RGB").resize((60, 40)), kept.convert("RGB").resize((60, 40)))
        difference = np.abs(np.asarray(small[0], float) - np.asarray(small[1], float))
        assert difference.mean() < 3
        assert abs(drawn.width - kept.width) <= 2


IMAGES = FOLDER.parent / "images"


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("figures") / "new"
    run("make_figures", folder)
    assert {path.name for path in folder.iterdir()} == {path.name for path in IMAGES.glob("*.png")}
    return folder


BAD_VALUES = {
    "autoencoder": ("--epochs", 0),
    "bench": ("build", "--rounds", 0),
    "deconvnet": ("--weights", "missing.npz"),
    "find_certificates": ("missing/file.json",),
    "generate_matrix": ("--size", -3),
    "make_figures": ("missing/folder",),
    "make_onnx_oracles": ("missing/file.npz",),
    "make_oracles": ("missing/folder",),
    "plot_sparsity": ("--output", "picture.words"),
    "upsampling_vs_transposed": ("--image", "missing.png"),
    "verify_formulas": ("--largest", "six"),
}


def test_every_script_is_asked_for_help():
    texts = {path.stem: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py")}
    assert {name for name, text in texts.items() if "__main__" in text} == set(BAD_VALUES)


@pytest.mark.parametrize("script", BAD_VALUES)
def test_scripts_do_no_work_unless_they_can(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(script, "--help").lower().startswith("usage: ")
    for arguments in (("--no-such-option",), BAD_VALUES[script]):
        (line,) = run(script, *arguments, code=2).splitlines()
        assert line.startswith(f"{script}.py")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_are_short_and_use_the_public_interface(script):
    text = (FOLDER / f"{script}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 90  # to be read in one sitting
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            used = [alias.name for alias in node.names if alias.name.startswith("convmat")]
            assert used in ([], ["convmat"])
        if isinstance(node, ast.ImportFrom):
            assert not node.module.startswith("convmat")
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_")


def test_the_autoencoder_learns_and_the_deconvnet_reads_its_weights(tmp_path):
    options = ("--epochs", 2, "--samples", 64, "--batch", 8, "--out", tmp_path)
    for decoder in ("transposed", "nearest"):
        told = run("autoencoder", *options, "--decoder", decoder)
        first, last = (float(line.split()[3]) for line in told.splitlines() if "   loss" in line)
        assert last < first
        assert "threads, all else on one" in " ".join(told.split())
        assert "2481 parameters in all" in told, "both decoders have the same budget"
        assert "images not seen in training: 0." in " ".join(told.split())
        assert "always answering with the mean image: 0." in " ".join(told.split())
        with Image.open(tmp_path / f"photograph-{decoder}.png") as drawn:
            assert np.asarray(drawn.convert("L")).std() > 5, "not an empty page"
    saved = tmp_path / "photograph-transposed.npz"
    options = ("--weights", saved, "--masks", "backward", "--out", tmp_path / "seen.png")
    told = run("deconvnet", *options, "--reduce", 10)
    assert "it is the gradient" in told
    assert (tmp_path / "seen.png").exists()
    saved.write_bytes(saved.read_bytes()[:500])
    assert "holds no weights" in run("deconvnet", *options, code=2)


def test_the_deconvnet_says_that_a_difference_is_meant(tmp_path):
    told = run("deconvnet", "--reduce", 10, "--out", tmp_path / "seen.png")
    assert "they are meant to differ" in told
    assert "negative on the way back" in told


def test_images_with_structure_are_drawn(autoencoder):
    images = np.zeros((5, 1, 4, 4))
    images[1, 0, 0], images[3, 0, :2] = 1, 3
    np.testing.assert_array_equal(autoencoder.richest(images, 2), [1, 3])
    np.testing.assert_array_equal(autoencoder.richest(images[:1], 8), [0])


@pytest.fixture
def autoencoder(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("autoencoder")


@pytest.fixture
def deconvnet(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module("deconvnet")


@pytest.fixture(params=["transposed", "nearest"])
def small(request, autoencoder):
    """Return a small autoencoder in double precision, and images for it."""
    rng = np.random.default_rng(5)
    network = autoencoder.build((1, 8, 8), request.param, rng, (1, 2, 3)).in_precision("f8")
    for bias in network.parameters[1::2]:
        bias[...] = 0.1 * rng.normal(size=bias.shape)
    return network, rng.normal(size=(3, 1, 8, 8)), request.param


def test_threads_are_those_that_the_process_may_use(monkeypatch, autoencoder):
    monkeypatch.setattr(autoencoder.os, "cpu_count", lambda: 64)
    monkeypatch.setattr(autoencoder.os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert autoencoder.usable_threads() == 1
    monkeypatch.delattr(autoencoder.os, "sched_getaffinity")
    assert autoencoder.usable_threads() == 64


def test_gradients_of_the_autoencoder_are_those_of_central_differences(small, autoencoder):
    network, x, _ = small
    autoencoder.gradient_step(network, x)
    gradients = [array.copy() for array in network.gradients]
    rng, step = np.random.default_rng(6), 1e-6
    assert len(gradients) == len(network.parameters) == 8
    for array, gradient in zip(network.parameters, gradients, strict=True):
        kept, direction = array.copy(), rng.normal(size=array.shape)
        losses = []
        for sign in (1, -1):
            array[...] = kept + sign * step * direction
            losses.append(autoencoder.gradient_step(network, x))
        array[...] = kept
        slope = (losses[0] - losses[1]) / (2 * step)
        assert slope == pytest.approx(float(np.sum(gradient * direction)), rel=1e-6)


def test_gradients_of_the_autoencoder_are_those_of_pytorch(small, autoencoder, monkeypatch):
    pytest.importorskip("torch", reason="the network is built a second time, in PyTorch")
    network, x, decoder = small
    assert autoencoder.check_gradients(network, x, decoder) < autoencoder.TOLERANCE
    right = autoencoder.networks.Convolution.backward

    def wrong(self, g):
        answer = right(self, g)
        self.gradients[1] = 1.001 * self.gradients[1]
        return answer

    monkeypatch.setattr(autoencoder.networks.Convolution, "backward", wrong)
    assert autoencoder.check_gradients(network, x, decoder) > autoencoder.TOLERANCE


def test_training_in_numpy_and_in_pytorch_leads_to_the_same_weights(small, autoencoder):
    torch = pytest.importorskip("torch", reason="the network is trained a second time, in PyTorch")
    import torch_twin

    network, x, decoder = small
    weights = [torch.tensor(array, requires_grad=True) for array in network.parameters]
    theirs = torch.optim.Adam(weights, lr=0.01)
    ours = autoencoder.networks.Adam(network.parameters, 0.01)
    for _ in range(5):
        autoencoder.gradient_step(network, x)
        ours.step(network.gradients)
        images = torch.tensor(x)
        theirs.zero_grad()
        torch.nn.functional.mse_loss(
            torch_twin.reconstruct(images, weights, decoder), images
        ).backward()
        theirs.step()
    for mine, its in zip(network.parameters, weights, strict=True):
        np.testing.assert_allclose(mine, its.detach().numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("pool_size", [2, 3])
def test_a_deconvnet_with_backward_masks_is_the_gradient(pool_size, deconvnet):
    networks = deconvnet.networks
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=(3, 1, 3, 3)), rng.normal(size=(4, 3, 3, 3))]
    encoder = networks.encoder((1, 13, 12), weights, pool_size)
    network = networks.Network(networks.trainable(encoder))
    x = rng.normal(size=(1, 1, 13, 12))
    (features,) = network.forward(x)
    for channel in range(4):
        place = deconvnet.strongest(features, channel)
        assert features[place] == features[channel].max()
        code = np.zeros((1, *features.shape))
        code[(0, *place)] = 1.0
        masked = deconvnet.project(encoder, network, code, "backward")
        np.testing.assert_allclose(masked, network.backward(code), rtol=1e-12, atol=1e-12)
        found = deconvnet.deviations(network, x, code, masked)
        assert found.pop("central differences") < 1e-6
        assert all(deviation < deconvnet.TOLERANCE for deviation in found.values())
        assert all(d > 1e-3 for d in deconvnet.deviations(network, x, code, 1.01 * masked).values())
        # Rectified on the way back instead, by loops over the layers.
        expected = code
        for back in cm.mirror(encoder).layers:
            if hasattr(back, "T"):
                expected = back(expected)
            elif hasattr(back, "in_shape"):
                pool = network.layers[2 if back.out_shape[0] == 3 else 5]
                expected = back(expected, pool.switches)
            else:
                expected = np.maximum(expected, 0)
        found = deconvnet.project(encoder, network, code, "deconvnet")
        np.testing.assert_array_equal(found, expected)
    counts = deconvnet.shared_winners(network)
    assert len(counts) == 2
    assert (counts == [0, 0]) == (pool_size == 2)


def test_layers_of_networks_where_windows_overlap(deconvnet):
    networks, rng = deconvnet.networks, np.random.default_rng(4)
    pool = networks.Pooling(cm.max_pool((2, 7, 7), 3, stride=2))
    unpool = networks.Unpooling(pool)
    x, g = rng.normal(size=(3, 2, 7, 7)), rng.normal(size=(3, 2, 3, 3))
    y = pool.forward(x)
    back = unpool.forward(g)
    added = pool.backward(g)
    for n, c in np.ndindex(3, 2):
        assigned, summed = np.zeros(49), np.zeros(49)
        for place in np.ndindex(3, 3):
            switch = pool.switches[(n, c, *place)]
            assert y[(n, c, *place)] == x[n, c].flat[switch]
            assigned[switch] = g[(n, c, *place)]
            summed[switch] += g[(n, c, *place)]
        np.testing.assert_array_equal(back[n, c].ravel(), assigned)
        np.testing.assert_allclose(added[n, c].ravel(), summed, rtol=1e-12)
    assert (back != added).any(), "winners are shared"
    assert np.vdot(back, x) == pytest.approx(np.vdot(g, unpool.backward(x)))


@pytest.mark.parametrize("script", LONGER)
def test_longer_scripts_use_the_public_interface(script):
    text = (FOLDER / f"{script}.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) < 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert not node.module.startswith("convmat")
        if isinstance(node, ast.Attribute) and node.attr.startswith("_"):
            assert node.attr == "__init__" or ast.unparse(node.value) == "self"


def test_digits_need_scikit_learn(autoencoder, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(click.ClickException, match=r"pip install 'convmat\[data\]'"):
        autoencoder.handwritten_digits(np.random.default_rng(0))
