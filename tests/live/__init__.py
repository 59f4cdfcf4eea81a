"""Tests of subscriptions, streams and several servers."""
