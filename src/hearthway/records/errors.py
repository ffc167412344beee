"""The error tree, drawn once. Every message reads as a sentence to the person; `next_step` says what to do.

HearthwayError
├── ConfigError        a TOML file, a setting, a missing directory
├── InputError         a file or value the person gave: history, command line, control request
├── MapError           an extract or an atlas
├── MeshError          links between nodes
│   ├── IdentityError  certificates, keys, household root
│   ├── PairingError   codes, attempts, a machine in the middle
│   └── WireError      a frame that does not decode, verify or belong
├── RuleError          a rules file that does not parse
│   └── RuleDeniedError     the owner's rules forbid this crossing
├── StoreError         the node's database
├── StudentError       a model's file, or an input that does not fit it
└── ReceiptError       a chain that does not verify
"""

from __future__ import annotations


class HearthwayError(Exception):
    """What went wrong, as a sentence, and what to do next."""

    exit_code = 1

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.message} {self.next_step}".rstrip()


class ConfigError(HearthwayError):
    """A TOML file, a setting or a directory is not usable."""

    exit_code = 2


class InputError(HearthwayError):
    """A file or value the person gave is not usable."""

    exit_code = 2


class MapError(HearthwayError):
    """A map extract or atlas is not usable."""

    exit_code = 2


class MeshError(HearthwayError):
    """A link between nodes failed."""


class IdentityError(MeshError):
    """A certificate, key or household root is missing, expired or foreign."""


class PairingError(MeshError):
    """Pairing failed: wrong code, too many attempts, or a machine in the middle."""


class WireError(MeshError):
    """A frame did not decode, did not verify, or does not belong to this household."""


class RuleError(HearthwayError):
    """The owner's rules file is not usable."""

    exit_code = 2


class RuleDeniedError(RuleError):
    """The owner's rules forbid this crossing."""

    exit_code = 1


class StoreError(HearthwayError):
    """The node's database cannot be read or written."""


class StudentError(HearthwayError):
    """A model's file is not usable, or an input does not fit it."""


class ReceiptError(HearthwayError):
    """A receipt chain does not verify."""
