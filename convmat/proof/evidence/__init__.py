"""What proofs rest on: each kind of evidence states its claim and checks itself again."""
