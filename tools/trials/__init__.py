"""What tries the book: other seeds, planted faults, its links and commands, its pages in a browser."""
