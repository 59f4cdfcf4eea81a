"""A fleet of virtual jobs that report to a server, and viewers who look at them."""
