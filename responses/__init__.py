"""The best answer of one server, given what all others cache."""
