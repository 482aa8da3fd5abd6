"""Any website, in plain words: for everything that no platform tool does."""
