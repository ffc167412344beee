"""Asking a running node: understanding what is said, gathering the facts that the rules let, and doing what was asked."""
