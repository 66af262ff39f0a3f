"""What an instance, a placement and a solution are, and what a placement is worth."""
