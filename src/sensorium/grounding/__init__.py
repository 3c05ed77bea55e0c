"""Does a model see what it says: questions from facts, asked of any model, scored, with controls and a report."""
