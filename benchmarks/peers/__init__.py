"""What else one would pick, on the same sites: a program each, in an environment of their own."""
