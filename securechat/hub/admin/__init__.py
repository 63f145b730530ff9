"""Administration: reports, commands and housekeeping."""
