"""Answer -> better ranking, and how well all of it works on a life that already happened. Pure."""
