"""What the owner lets: rules, consent, precision, keeping, grants."""
