"""Faults that were mended, each as a patch that brings it back: the simulator must find them."""
