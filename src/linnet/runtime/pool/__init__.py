"""Which models are in memory: several within what the machine has, loaded when wanted, unloaded in stated steps."""
