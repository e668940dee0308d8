"""Work cut into pieces, and the threads that share it."""
