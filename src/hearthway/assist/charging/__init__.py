"""When to charge: a plan by departure over prices, sun and the house. It proposes; nothing here switches anything."""
