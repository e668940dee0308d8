"""A user's formula for an output size, and what becomes of it.

===========  ====================================================
`watching`   a stranger's code, for a limited time
`functions`  functions as formulas: traced and called
`question`   formula, layer and conditions as they were read
`answers`    what an answer is when there is no proof
`verify`     `verify_output_size`
===========  ====================================================
"""
