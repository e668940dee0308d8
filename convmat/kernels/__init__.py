"""Kernels: the loops that touch numbers.

Where to find the one that runs for a layer. ``A.plan(x.shape)`` names the algorithm of a layer with
weights, and says when it is left to NumPy (`shifts.apply`): very small calls, four axes or more,
dtypes that there are no kernels for.

===========================  =====================================  ============================
what                         the kernel, which threads share        innermost loop
===========================  =====================================  ============================
``"direct"``, one output     ``direct._blocks``: `direct_lines`     `sums.multiply_lines`
channel in each group
``"direct"``, else           ``direct._blocks``: `direct_tiles`     `sums.multiply`
``"gemm"``                   ``gemm._tiles``                        `sums.multiply`
``"gemm"`` at 3 places or    ``gemm._few``                          `sums.multiply_rows`
less: fully connected
``"winograd"``               ``winograd._tile_kernel``              `sums.multiply`, `transforms`
``"separable"``              ``rank_one_loops.sum_axes``            `sums.multiply`
``"fft"``                    ``fft.Fft``                            SciPy's
``"sparse"``                 `A.matrix()`                           SciPy's
pooling, resizing, padding,  ``separable_lines.write_lines``;       ``combine``, ``spread`` of
shuffle, unfold, fold        of small calls ``axes.apply``          `line_vectors`
max pooling                  ``pooling._pool``                      `greatest.greatest_named`;
                                                                    without switches `greatest`
selection, unpooling         ``choice._read``, ``choice._add``      their own
``A.weight_gradient``        ``gradient_tiles._sum_tiles``          `gradient_vectors.outer`
the same, few channels       ``gradient_lines._lines``              `gradient_vectors.correlate`
``A.matrix()``               ``build._structure_of_lines``,         `stream`, and their own
                             ``build._values_of_lines``
the same, without weights    ``separable``                          its own
===========================  =====================================  ============================

Direct, gemm, winograd and separable read `phases` (outputs that read alike; a transposed layer is
a geometry with a base), `planes` (padded copies of inputs), and `packing` (weights in the order
of tiles). Shorter layers are three-dimensional ones with points in front. `vectors` and `copies`
are explicit vectors, `team` and `sharing` threads, `costs` and `weight_gradient` how the choice
is made.
"""
