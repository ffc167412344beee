"""Who belongs: the root, certificates, the signed list of devices, the household key of each epoch."""
