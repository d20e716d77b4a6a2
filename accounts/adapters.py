"""How allauth creates users here: every new user gets an account that pays."""
