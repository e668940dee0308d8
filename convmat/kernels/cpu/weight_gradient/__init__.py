"""The gradient by the weight of a layer."""
