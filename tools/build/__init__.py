"""What turns the sources into editions: the site, the book on paper, the notebooks that are handed out."""
