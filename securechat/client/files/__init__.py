"""Files between this machine and the server: transfers over HTTPS, and what is read and written here for them."""
