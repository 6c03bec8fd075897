"""The pool of image ids: order, budget, predicted cost, ranking and the table of scores."""
