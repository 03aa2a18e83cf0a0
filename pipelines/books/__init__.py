"""What a market knows: ladder, books, settlement. Pure: no input or output of any kind."""
