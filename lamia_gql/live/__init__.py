"""The push path: from committed changes to the subscribers of this process."""
