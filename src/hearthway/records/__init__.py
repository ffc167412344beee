"""The nouns every part of Hearthway shares: frozen, validated, without IO."""
