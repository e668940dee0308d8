"""Provers write certificates. They may be wrong without harm: the checker believes none of them.

===========  =====================================================
`draft`      a certificate in the making
`combining`  polynomials added up to another
`monomials`  products of facts that may be of use
`ratios`     fractions of polynomials, division with remainder
`search`     proofs by linear arithmetic over products of facts
`ways`       what to show first, for the few theorems that need it
`finding`    witnesses, and the search for a whole theorem
`found`      proofs that were found and are kept in found.json
`sizes`      theorems about sizes, with words for their steps
===========  =====================================================
"""
