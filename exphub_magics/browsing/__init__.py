"""Where somebody looks in a hub, and what is to be seen there."""
