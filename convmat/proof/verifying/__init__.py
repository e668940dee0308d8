"""A user's formula for an output size, and what becomes of it.

===========  ========================================
`functions`  functions as formulas: traced and called
`answers`    what an answer is when there is no proof
`verify`     `verify_output_size`
===========  ========================================
"""
