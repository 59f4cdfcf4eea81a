"""The rules: states, progress, limits of input and errors. No I/O."""
