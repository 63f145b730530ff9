"""Settings of the server: table, flags, environment, TOML file and checks."""
