"""The bettor page in a real Chromium, against the real edge."""
