"""The hub's schema and every statement that it is read and written with."""
