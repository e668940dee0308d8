"""Two layers compared: equal, or where they differ.

================  =======================================
`comparison`      `compare` and what it returns
`smaller_shapes`  the smallest shape at which they differ
`words`           shapes and numbers in words
`places`          where results differ, in words
================  =======================================
"""
