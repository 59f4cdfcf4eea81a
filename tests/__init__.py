"""Stories told over the real wire: running servers, real databases."""
