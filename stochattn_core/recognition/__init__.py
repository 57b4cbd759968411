"""Recognition of attention by what it does: one plain pass in which weights that sum to one are followed until they meet values."""
