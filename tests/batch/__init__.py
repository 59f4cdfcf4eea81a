"""Tests with real batch systems; run by `make test-batch`."""
