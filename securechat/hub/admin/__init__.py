"""What the server's administrator can look at and change."""
