"""Tests of the adapters: followers of logs, read by the real libraries, against a server."""
