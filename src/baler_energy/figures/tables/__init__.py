"""The report's tables, a module for each: the numbers of its CSV file, and its page as text."""
