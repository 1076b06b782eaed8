"""Telling who is who from frame to frame."""
