"""What loops read: phases of outputs, padded planes, packed weights, panels of work."""
