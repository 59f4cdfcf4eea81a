"""Tests of `lamia-job`, the job side."""
