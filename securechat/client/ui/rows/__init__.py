"""Makes rows of text, and what they are made of: links, wrapping, descriptions; for both shells."""
