"""What a claim about two layers says.

=============  ================================================
`definition`   convolutions restated literally, on index arrays
`enumeration`  what two records relate, entry by entry
=============  ================================================
"""
