"""Takes what a person types: keys, the edited text, completion, what is not sent yet."""
