"""One module for each command: its options, its help, and the call of its body. Each is imported only when it runs."""
