"""The write path: events and tasks, from checked input to committed rows."""
