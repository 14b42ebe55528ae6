"""Where this installation reads its surroundings: the environment, and nothing else does."""
