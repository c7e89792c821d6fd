"""What marks the notebooks that come back."""
