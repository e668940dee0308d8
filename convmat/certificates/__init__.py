"""Statements about integers, their certificates, and the checker that follows them.

=============  ==================================================
`truth`        answers to claims, true only if the claim holds
`writing`      JSON, a certificate one step a line
`polynomials`  polynomials with integer coefficients, in one form
`statements`   statements, steps, certificates, and their JSON
`theorem`      what a theorem is
`theorems`     what is claimed, for all sizes
`checker`      follows a certificate and believes nothing else
`provers`      what writes certificates
=============  ==================================================

All but `provers` is trusted; `provers` is imported by none of the others.
"""
