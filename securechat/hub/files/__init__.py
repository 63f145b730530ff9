"""Files of messages: uploads and their quotas, links and who may follow them, and the end of files.

Nothing here is imported by a server without files.
"""
