"""The machine: devices, processes, signals, compiled programs and files."""
