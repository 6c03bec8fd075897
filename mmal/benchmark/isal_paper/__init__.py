"""What the ISAL paper (ICCV 2021) printed, and an audit of the savings it states."""
