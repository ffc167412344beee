"""Raw readings -> signals: one catalogue of keys, units checked, positions joined into fixes."""
