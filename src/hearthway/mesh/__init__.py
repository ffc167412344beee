"""What makes devices one household: identity, pairing, links, rules, envelopes, receipts."""
