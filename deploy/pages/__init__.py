"""The pages of traders and bettors, and the third-party scripts that they use."""
