"""Notifications: who is told what, and that it arrives."""
