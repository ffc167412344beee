"""Where a task is computed: here, or on another node of the household."""
