"""How frames get from node to node: in memory, over Zenoh and TLS streams, through a neighbour."""
