"""What nodes say to one another: sealed sessions, publish, request, command, under the rules."""
