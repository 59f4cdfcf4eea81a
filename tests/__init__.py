"""Tests, most of them over HTTP and WebSocket, against running servers and real databases."""
