"""Kernels: the loops that touch numbers.

Where to find the one that runs for a layer:

====================================  ====================================================
``A.plan(x.shape).algorithm``         loop
====================================  ====================================================
``"direct"``                          ``direct._blocks``; of very small layers ``shifts.apply``
``"gemm"``                            ``gemm._tiles``
``"winograd"``                        ``winograd._tile_kernel``, on ``transforms``
``"fft"``                             ``fft.Fft``
``"separable"``                       ``rank_one_loops.sum_axes``
pooling, resizing, padding, ...       ``separable_lines``; of small layers ``axes.apply``
max pooling; selections, unpooling    ``pooling``, on ``greatest``; ``choice``
``A.weight_gradient``                 ``gradient_tiles._tiles``, ``gradient_lines._lines``
``A.matrix()``                        ``build``, on ``lines``; without weights ``separable``
comparing formulas                    ``sweep``
====================================  ====================================================

They share: ``phases`` (outputs that read alike), ``planes`` (padded copies of inputs), ``packing``
(weights in the order of tiles), ``vectors`` (explicit vectors; `multiply` is the innermost loop of
the first four), ``team`` and ``sharing`` (threads), and ``costs`` (how the choice is made).
"""
