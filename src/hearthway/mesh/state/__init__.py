"""What a node keeps: the store, replicas, receipts, forgetting, export, backup."""
