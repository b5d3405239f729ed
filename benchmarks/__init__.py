"""Measurements to be run by hand; nothing here is a test."""
