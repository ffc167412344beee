"""The battery will not get one home: charge where one is going to stand anyway."""
