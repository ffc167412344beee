"""A device joins: a code or a QR code becomes a certificate."""
