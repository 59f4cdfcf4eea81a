"""From committed changes to the subscribers in this process."""
