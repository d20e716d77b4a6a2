"""The translator of one wire format."""
