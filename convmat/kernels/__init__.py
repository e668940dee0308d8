"""Kernels: the loops that touch numbers.

Where to find the one that runs for a layer, from its name to its innermost loop. A call begins in
`LayerOperator.__call__` (`operator/convolution.py`); `make_plan` (`operator/algorithms.py`)
chooses; the `__call__` of the algorithm, for gemm and winograd that of `Panels`
(`cpu/layout/panels.py`), pads the input and shares the loop below among threads. What a file of
`cpu` imports stands below it: `threads` and `vectors` on the ground; `layout` on these; `conv`,
`csr`, `kronecker` and `max_pool` on all three; `weight_gradient` on top. ``A.plan(x.shape)``
names the algorithm of a layer with weights, and says when it is left to NumPy
(`cpu/conv/in_numpy.py`): very small calls, four axes or more, dtypes that there are no kernels
for.

===========================  ====================================  ============================
what                         file of `cpu`, and the kernel there   innermost loop,
                             that threads share                    in `vectors.py` beside it
                                                                   or in `cpu/vectors`
===========================  ====================================  ============================
``"direct"``, one output     conv/direct.py `_blocks`,             sums.py `multiply_lines`
channel in each group        which calls direct_lines.py
``"direct"``, else           the same, and direct_tiles.py         sums.py `multiply_in`
``"gemm"``                   conv/gemm.py `_tiles`                 sums.py `multiply_in`
``"gemm"`` at 3 positions    conv/gemm.py `_few`                   sums.py `multiply_rows`
or fewer: fully connected
``"winograd"``               conv/winograd.py `_tile_kernel`       sums.py `multiply_in`,
                                                                   winograd_vectors.py
``"separable"``              conv/separable_loops.py `sum_axes`    sums.py `multiply_in`
``"fft"``                    conv/fft.py `Fft`                     SciPy's
``"sparse"``                 `A.matrix()`                          SciPy's
pooling, resizing, padding,  kronecker/lines.py `write_lines`;     `combine`, `combine_pairs`,
shuffle, unfold, fold        of small calls in_numpy.py            `spread`
selection, unpooling         kronecker/selection.py `_read`,       their own
                             `_add`
max pooling                  max_pool/pooling.py `_pool`           `greatest`, with switches
                                                                   `greatest_named`
``A.weight_gradient``        weight_gradient/tiles.py              `outer`
                             `_sum_tiles`
the same, few channels       weight_gradient/lines.py `_lines`     `correlate`
``A.matrix()``               csr/build.py `_structure_of_lines`,   stream.py `stream`, and
                             `_values_of_lines`                    their own
the same, without weights    csr/kronecker.py `_write_rows`        stream.py `stream`
===========================  ====================================  ============================

`cuda` holds the kernels for arrays on a GPU, of which its own table says more.
`compiling` says how functions are compiled, `keeping` where machine code is kept and what is said
of it; `costs` is the model by which an algorithm is chosen.
"""
