"""What holds the product to its word; its folders mirror those of the source."""
