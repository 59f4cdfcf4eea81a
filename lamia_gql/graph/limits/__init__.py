"""What a document may ask for: size, depth, cost and time."""
