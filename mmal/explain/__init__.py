"""Why a query chose what it chose."""
