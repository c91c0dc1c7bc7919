"""Long work: questions asked by pages, answered beside them, with their progress in the store."""
