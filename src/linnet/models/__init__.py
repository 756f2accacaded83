"""What a model file is and how it likes to be spoken to: text and bytes only, nothing native."""
