"""What was promised, and since when."""
