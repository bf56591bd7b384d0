"""Readers: from a source to pages of rows, one module for each kind."""
