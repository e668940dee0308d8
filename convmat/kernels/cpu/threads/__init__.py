"""Work cut into pieces, and the threads that share it.

pieces   how many pieces, and how many threads
team     the threads, and `together`, which shares a call of a kernel among them
sharing  how they do without the interpreter
"""
