"""What the compiler makes of the kernels for GPUs: registers, spills, instructions of loops.

They are linked as they are where they run, for a device that need not be there, and disassembled.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
from typing import NamedTuple

import numpy as np
import pytest
from numba import cuda, int32, types
from numba.core import config

from convmat.kernels.cuda.engine import Kernel
from convmat.kernels.cuda.kronecker import combination_kernel
from convmat.kernels.cuda.max_pool import max_pool_kernel
from convmat.kernels.cuda.windows import windows_kernel

pytestmark = pytest.mark.cuda

HOPPER = (9, 0)
OTHERS = [(7, 5), (8, 0), (8, 9), (10, 0), (12, 0)]
PRODUCTS = ("FFMA", "DFMA", "FADD", "DADD", "IMAD.WIDE.U32", "IADD3.X")  # one for each sum


class Budget(NamedTuple):
    """Registers of a thread, instructions of the innermost loop for each product, wide loads.

    Where a loop has no products, the instructions for each load are meant.
    """

    registers: int
    instructions: float
    wide: int = 0


def windows(rows, read, dtype):
    return windows_kernel(rows, np.dtype(read), np.dtype(dtype))


def combination(ones, dtype):
    return combination_kernel(np.dtype(dtype), np.dtype(dtype), ones=ones)


def pooling(dtype, named):
    return max_pool_kernel(np.dtype(dtype), named=named)


BUDGETS = {
    "windows-1-f4": (windows(1, "f4", "f4"), Budget(40, 12)),
    "windows-1-f2": (windows(1, "f2", "f4"), Budget(40, 13)),
    "windows-1-f8": (windows(1, "f8", "f8"), Budget(40, 12)),
    "windows-1-c8": (windows(1, "c8", "c8"), Budget(42, 7)),
    "windows-1-c16": (windows(1, "c16", "c16"), Budget(50, 7)),
    "windows-1-i8": (windows(1, "i8", "i8"), Budget(42, 15)),
    "windows-4-f4": (windows(4, "f4", "f4"), Budget(46, 5, wide=1)),
    "windows-4-f2": (windows(4, "f2", "f4"), Budget(46, 5, wide=1)),
    "windows-4-f8": (windows(4, "f8", "f8"), Budget(56, 5.5, wide=2)),
    "windows-4-c8": (windows(4, "c8", "c8"), Budget(58, 4)),
    "windows-4-c16": (windows(4, "c16", "c16"), Budget(64, 4)),
    "windows-4-i8": (windows(4, "i8", "i8"), Budget(58, 9, wide=2)),
    "ones-f4": (combination(True, "f4"), Budget(80, 9)),
    "ones-f8": (combination(True, "f8"), Budget(80, 9)),
    "ones-c8": (combination(True, "c8"), Budget(60, 4)),
    "ones-c16": (combination(True, "c16"), Budget(76, 4)),
    "ones-i8": (combination(True, "i8"), Budget(80, 19)),
    "weights-f4": (combination(False, "f4"), Budget(80, 10)),
    "weights-f8": (combination(False, "f8"), Budget(80, 10)),
    "weights-c8": (combination(False, "c8"), Budget(72, 5)),
    "weights-c16": (combination(False, "c16"), Budget(80, 5)),
    "weights-i8": (combination(False, "i8"), Budget(72, 15)),
    "max-f4": (pooling("f4", True), Budget(32, 20)),
    "max-f4-values": (pooling("f4", False), Budget(32, 17)),
    "max-f2": (pooling("f2", True), Budget(32, 21)),
    "max-f8": (pooling("f8", True), Budget(32, 21)),
    "max-u8": (pooling("u8", True), Budget(32, 21)),
}


@pytest.fixture(autouse=True)
def compiler():
    assert not config.ENABLE_CUDASIM
    if importlib.util.find_spec("numba_cuda") is None:
        pytest.skip("needs the extra test-cuda")


def disassembled(code, folder):
    """Return the instructions of a cubin, and the labels among them."""
    listed = importlib.metadata.files("nvidia-cuda-nvdisasm")
    (program,) = [path.locate() for path in listed if path.name == "nvdisasm"]
    cubin = folder / "kernel.cubin"
    cubin.write_bytes(code)
    done = subprocess.run([program, "-c", cubin], capture_output=True, text=True, check=True)
    label, instruction = r"\s*(\.L_x_\d+):", r"\s*/\*[0-9a-f]{4,}\*/\s+(.*?);"
    matches = [
        re.match(label, one) or re.match(instruction, one) for one in done.stdout.split("\n")
    ]
    return [match[1] for match in matches if match]


def word(instruction):
    return re.sub(r"^@!?U?P\w+\s+", "", instruction).split()[0]


def innermost(lines):
    """Return the longest loop without another in it, as words."""
    at = {line: n for n, line in enumerate(lines) if line.startswith(".L_x")}
    loops = []
    for n, line in enumerate(lines):
        match = re.search(r"`\((\.L_x_\d+)\)", line)
        if word(line) == "BRA" and match and at[match[1]] < n:
            loops.append((at[match[1]], n))
    inner = [
        (low, high)
        for low, high in loops
        if not any((low, high) != one and low <= one[0] and one[1] <= high for one in loops)
    ]
    low, high = max(inner, key=lambda pair: pair[1] - pair[0])
    return [word(line) for line in lines[low : high + 1] if not line.startswith(".L_x")]


def broken(kernel, budget, folder):
    """Say what of a budget a kernel breaks."""
    code, log = kernel.linked(HOPPER)
    lines = disassembled(code, folder)
    words = [word(line) for line in lines if not line.startswith(".L_x")]
    loop = innermost(lines)
    products = sum(one in PRODUCTS for one in loop) or sum(one.startswith("LDG") for one in loop)
    registers = int(re.search(r"Used (\d+) registers", log)[1])
    found = []
    if "0 bytes spill stores, 0 bytes spill loads" not in log:
        found.append("spills")
    if any(one.startswith(("LDL", "STL")) for one in words):
        found.append("local memory")
    if registers > budget.registers:
        found.append(f"{registers} registers")
    if len(loop) > budget.instructions * products:
        found.append(f"{len(loop)} instructions for {products} products")
    if sum(one.startswith("LDG.E.128") for one in loop) < budget.wide:
        found.append("no wide loads")
    return found


@pytest.mark.parametrize("name", BUDGETS)
def test_budgets(name, tmp_path):
    assert broken(*BUDGETS[name], tmp_path) == []


@pytest.mark.parametrize("capability", OTHERS, ids=str)
def test_other_devices(capability):
    for kernel in (windows(4, "f4", "f4"), combination(False, "f4")):
        code, _ = kernel.linked(capability)
        assert code.startswith(b"\x7fELF")


def wide_indices(number):
    """Make a kernel whose loop runs in `range`, over arrays, with indices of 64 bits."""

    def kernel(x, w, y, taps):
        place = cuda.grid(1)
        total = number(0)
        for t in range(taps):
            total += w[t] * x[place + t]
        y[place] = total

    return kernel


def many_sums(number):
    """Make a kernel with more sums than there are registers for, chosen at run time."""

    def kernel(x, w, y, taps):
        sums = cuda.local.array(64, number)
        for r in range(64):
            sums[r] = number(0)
        t = int32(0)
        while t < taps:
            sums[t & 63] += w[t] * x[t]
            t = int32(t + 1)
        for r in range(64):
            y[r] = sums[r]

    return kernel


@pytest.mark.parametrize(
    ("make", "found"), [(wide_indices, "instructions for"), (many_sums, "local memory")]
)
def test_a_bad_kernel_breaks_its_budget(make, found, tmp_path):
    numbers = types.Array(types.float32, 1, "A")
    kernel = Kernel(make, (types.float32,), (numbers, numbers, numbers, int32))
    assert found in " ".join(broken(kernel, Budget(64, 5), tmp_path))


def test_code_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path))
    kernel = windows(1, "f4", "f4")
    code, log = kernel.cubin(HOPPER)
    assert log
    assert kernel.cubin(HOPPER) == (code, "")
    (kept,) = (tmp_path / "cubins").iterdir()
    assert kept.read_bytes() == code
    assert kernel._digest(HOPPER) != windows(4, "f4", "f4")._digest(HOPPER)
    assert kernel._digest(HOPPER) != kernel._digest((8, 0))
