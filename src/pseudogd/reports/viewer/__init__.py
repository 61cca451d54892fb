"""`pseudogd view`: a data folder as one page to look through, photo by photo and question by question."""
