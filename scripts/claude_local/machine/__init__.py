"""Access to this computer: settings, files, processes, ports, sensors, the state folder, the terminal."""
