"""Between wire formats: one package for each, towards clients and towards vendors."""
